"use strict";
// node documents.cjs KEY CERTIFICATE REDIRECT_URI...: an https host of one client metadata document, on this machine.
// Prints the document's URL, then every request for it.

const fs = require("node:fs");
const https = require("node:https");

const [key, cert, ...redirectUris] = process.argv.slice(2);
const server = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, (request, response) => {
  if (request.url !== "/client.json") {
    response.writeHead(404).end();
    return;
  }
  console.log(`asked for ${request.url}`);
  response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "max-age=60" });
  response.end(
    JSON.stringify({
      client_id: url(),
      client_name: "Documented client",
      client_uri: "https://client.example/",
      redirect_uris: redirectUris,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    }),
  );
});
const url = () => `https://localhost:${server.address().port}/client.json`;
server.listen(0, "127.0.0.1", () => console.log(url()));
