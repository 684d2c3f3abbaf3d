"use strict";
// What either major version of the TypeScript client needs to log in by itself: a place for what it is given, and for
// where it would send its user.

const STATE = "typescript-state";

class Login {
  /** `given`: what it was registered as before; `metadataUrl`: the document that it is known by. Else it registers itself. */
  constructor({ name, redirectUri, scope, given, metadataUrl }) {
    this.redirectUrl = redirectUri;
    this.clientMetadataUrl = metadataUrl;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope,
    };
    this.client = given;
  }
  state() {
    return STATE;
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

  /** What the browser was sent back with, if it was sent back from this login. */
  answer(back) {
    const answer = back.searchParams;
    if (answer.get("state") !== STATE) throw new Error(`not this login: ${back}`);
    return answer;
  }

  /** How it got in. */
  get kind() {
    return this.client?.client_id && this.held?.access_token && this.held?.refresh_token ? "oauth" : "none";
  }
}

module.exports = { Login };
