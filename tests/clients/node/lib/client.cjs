"use strict";
// The browser-facing half of an OAuth client: where it listens, and what it sends browsers off with.

const crypto = require("node:crypto");
const http = require("node:http");

/** Listens for authorization responses; `back.urls` are those that came. */
async function listen(port = 0) {
  const back = { urls: [] };
  const server = http.createServer((request, response) => {
    if (request.url.startsWith("/callback")) back.urls.push(new URL(request.url, back.redirectUri));
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end("<!doctype html><title>Client</title><p>You can close this window.</p>");
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  back.redirectUri = `http://127.0.0.1:${server.address().port}/callback`;
  back.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return back;
}

async function register(origin, redirectUri, name = "Browser test") {
  const response = await fetch(`${origin}/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ client_name: name, redirect_uris: [redirectUri], token_endpoint_auth_method: "none" }),
  });
  if (response.status !== 201) throw new Error(`not registered: ${response.status} ${await response.text()}`);
  return (await response.json()).client_id;
}

/** An authorization request, with what is needed to finish it. */
function authorizationRequest(origin, clientId, redirectUri) {
  const verifier = crypto.randomBytes(32).toString("base64url");
  const state = crypto.randomBytes(16).toString("base64url");
  const url = new URL(`${origin}/authorize`);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: crypto.createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    resource: `${origin}/mcp`,
  }).toString();
  return { url: url.toString(), verifier, state };
}

async function redeem(origin, clientId, redirectUri, verifier, code) {
  const response = await fetch(`${origin}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: clientId,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      code,
      resource: `${origin}/mcp`,
    }),
  });
  return { status: response.status, body: await response.json() };
}

module.exports = { listen, register, authorizationRequest, redeem };
