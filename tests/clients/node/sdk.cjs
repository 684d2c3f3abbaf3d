"use strict";
// node sdk.cjs MCP_URL DIRECTORY [--client-id ID [--client-secret SECRET]] [--metadata-url URL] [--port PORT] [--scope SCOPE]
//
// The official TypeScript SDK, logging in from a bare URL; its user has a real Chromium. Without further arguments it
// registers itself (RFC 7591); with --client-id it was registered before; with --metadata-url it is that document.

const assert = require("node:assert/strict");
const { parseArgs } = require("node:util");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { UnauthorizedError } = require("@modelcontextprotocol/sdk/client/auth.js");
const { listen } = require("./lib/client.cjs");
const { Login } = require("./lib/login.cjs");
const { withPage, logIn } = require("./lib/person.cjs");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "client-id": { type: "string" },
    "client-secret": { type: "string" },
    "metadata-url": { type: "string" },
    port: { type: "string", default: "0" },
    scope: { type: "string" },
    user: { type: "string", default: "typescript" },
  },
});
const [url, directory] = positionals;

async function main() {
  const back = await listen(Number(values.port));
  const login = new Login({
    name: "TypeScript SDK",
    redirectUri: back.redirectUri,
    scope: values.scope,
    given: values["client-id"] && { client_id: values["client-id"], client_secret: values["client-secret"] },
    metadataUrl: values["metadata-url"],
  });
  const endpoint = new URL(url);
  const transport = new StreamableHTTPClientTransport(endpoint, { authProvider: login });
  const before = new Client({ name: "before", version: "1" });
  await assert.rejects(before.connect(transport), UnauthorizedError);
  assert.ok(login.page, "the SDK did not find where to log in");
  const asked = login.page.searchParams;
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.equal(asked.get("resource"), url);
  await withPage(directory, (page, shoot) => logIn(page, shoot, login.page.href, values.user, () => back.urls.length > 0));
  await transport.finishAuth(login.answer(back.urls[0]).get("code"));
  assert.ok(login.held?.access_token, "no token");

  const client = new Client({ name: "typescript", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(endpoint, { authProvider: login }));
  const { tools } = await client.listTools();
  assert.ok(tools.length > 0);
  const echoed = await client.callTool({ name: "echo", arguments: { message: "logged in" } });
  assert.match(echoed.content[0].text, /logged in/);

  // And once more with a refreshed token.
  if (login.held.refresh_token) {
    const first = login.held.access_token;
    login.held = { ...login.held, access_token: "expired" };
    const { resources } = await client.listResources();
    assert.ok(resources.length > 0);
    assert.notEqual(login.held.access_token, first);
    assert.notEqual(login.held.access_token, "expired");
  }
  await client.close();
  back.close();
  console.log(`typescript client ${login.client?.client_id} logged in`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
