"use strict";
// node provider.cjs [CLIENT_ID CLIENT_SECRET]: `oidc-provider`, an OpenID-certified authorization server that shares no
// code with this one, on this machine. Prints its issuer identifier. Clients register themselves; the one that is named
// is there from the start.

const http = require("node:http");
const { Provider } = require("oidc-provider");

const [clientId, clientSecret] = process.argv.slice(2);
const SCOPES = ["mcp:tools", "mcp:resources", "mcp:prompts"];

// The port is known before the issuer: the server listens first.
const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const named = {
    client_id: clientId,
    client_secret: clientSecret,
    // Loopback redirects of native applications go to any port (RFC 8252).
    application_type: "native",
    redirect_uris: ["http://127.0.0.1/callback"],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "client_secret_basic",
  };
  const provider = new Provider(issuer, {
    clients: clientId ? [named] : [],
    clientDefaults: { application_type: "native" },
    scopes: ["openid", "offline_access", ...SCOPES],
    cookies: { keys: ["of a test"] },
    pkce: { required: () => true },
    issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: async (_, __, oneOf) => oneOf,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_, resource) => ({
          scope: SCOPES.join(" "),
          audience: resource,
          accessTokenTTL: 3600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
