"use strict";
// node sdk.cjs MCP_URL DIRECTORY [--client-id ID [--client-secret SECRET]] [--metadata-url URL] [--port PORT] [--scope SCOPE]
//
// The official TypeScript SDK, logging in from a bare URL; its user has a real Chromium. Without further arguments it
// registers itself (RFC 7591); with --client-id it was registered before; with --metadata-url it is that document.

const assert = require("node:assert/strict");
const http = require("node:http");
const { parseArgs } = require("node:util");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { UnauthorizedError } = require("@modelcontextprotocol/sdk/client/auth.js");
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

class Person {
  constructor(redirectUri) {
    this.redirectUrl = redirectUri;
    this.clientMetadataUrl = values["metadata-url"];
    this.registered = undefined;
    this.given = values["client-id"] && { client_id: values["client-id"], client_secret: values["client-secret"] };
  }
  get clientMetadata() {
    return {
      client_name: "TypeScript SDK",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: values.scope,
    };
  }
  state() {
    return "typescript-state";
  }
  clientInformation() {
    return this.registered ?? this.given;
  }
  saveClientInformation(information) {
    this.registered = information;
  }
  tokens() {
    return this.held;
  }
  saveTokens(tokens) {
    this.held = tokens;
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
  redirectToAuthorization(page) {
    this.page = page;
  }
}

async function main() {
  const back = [];
  const server = http.createServer((request, response) => {
    if (request.url.startsWith("/callback")) back.push(new URL(request.url, "http://127.0.0.1"));
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>Client</title>Done.");
  });
  await new Promise((resolve) => server.listen(Number(values.port), "127.0.0.1", resolve));
  const person = new Person(`http://127.0.0.1:${server.address().port}/callback`);
  const endpoint = new URL(url);
  const transport = new StreamableHTTPClientTransport(endpoint, { authProvider: person });
  const before = new Client({ name: "before", version: "1" });
  await assert.rejects(before.connect(transport), UnauthorizedError);
  assert.ok(person.page, "the SDK did not find where to log in");
  const asked = person.page.searchParams;
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.equal(asked.get("resource"), url);
  await withPage(directory, (page, shoot) => logIn(page, shoot, person.page.href, values.user, () => back.length > 0));
  const answer = back[0].searchParams;
  assert.equal(answer.get("state"), "typescript-state", back[0].search);
  await transport.finishAuth(answer.get("code"));
  assert.ok(person.held?.access_token, "no token");

  const client = new Client({ name: "typescript", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(endpoint, { authProvider: person }));
  const { tools } = await client.listTools();
  assert.ok(tools.length > 0);
  const echoed = await client.callTool({ name: "echo", arguments: { message: "logged in" } });
  assert.match(echoed.content[0].text, /logged in/);

  // And once more with a refreshed token.
  if (person.held.refresh_token) {
    const first = person.held.access_token;
    person.held = { ...person.held, access_token: "expired" };
    const { resources } = await client.listResources();
    assert.ok(resources.length > 0);
    assert.notEqual(person.held.access_token, first);
    assert.notEqual(person.held.access_token, "expired");
  }
  await client.close();
  server.close();
  server.closeAllConnections();
  const kind = person.registered?.client_id ?? values["client-id"];
  console.log(`typescript client ${kind} logged in`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
