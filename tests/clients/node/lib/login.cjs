"use strict";
// What the TypeScript client needs to log in by itself: a place for what it is given, and a browser.

const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");

// Nobody listens there: the browser stops where it is sent there.
const REDIRECT_URI = "http://127.0.0.1:8976/callback";

class Login {
  constructor(endpoint) {
    this.endpoint = endpoint;
    this.redirectUrl = REDIRECT_URI;
    this.clientMetadata = {
      client_name: "typescript tour",
      redirect_uris: [REDIRECT_URI],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }
  state() {
    return "typescript-state";
  }
  clientInformation() {
    return this.client;
  }
  saveClientInformation(client) {
    this.client = client;
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

  /** Knocks without a token, and follows where the refusal leads. */
  async through(client, browse) {
    const transport = new StreamableHTTPClientTransport(this.endpoint, { authProvider: this });
    try {
      await client.connect(transport);
    } catch (error) {
      if (!this.page) throw error;
      const back = await browse(this.page.href);
      if (back.searchParams.get("state") !== this.state()) throw new Error(`not this login: ${back}`);
      await transport.finishAuth(back.searchParams);
      return;
    }
    throw new Error("let in without a token");
  }

  /** How it got in. */
  get kind() {
    return this.client?.client_id && this.held?.access_token && this.held?.refresh_token ? "oauth" : "none";
  }
}

module.exports = { Login };
