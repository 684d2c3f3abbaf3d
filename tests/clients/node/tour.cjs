"use strict";
// node tour.cjs MCP_URL MODE: the official TypeScript client, second major version, goes on the tour of ../tour.json.
//
// Prints one JSON line a step: what it saw. Needs somebody at the other end of its standard input (see lib/guide.cjs) who
// has a browser, and can break connections.

const fs = require("node:fs");
const path = require("node:path");
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const guide = require("./lib/guide.cjs");
const { Login } = require("./lib/login.cjs");
const { Person } = require("./lib/asked.cjs");
const { steps } = require("./lib/steps.cjs");

// Nobody listens there: the browser stops where it is sent there.
const REDIRECT_URI = "http://127.0.0.1:8976/callback";
const NEGOTIATION = { modern: { pin: "2026-07-28" }, legacy: "legacy", auto: "auto" };
const CAPABILITIES = {
  roots: { listChanged: true },
  sampling: {},
  elicitation: { form: {}, url: {} },
  extensions: { "io.modelcontextprotocol/tasks": {} },
};

const [url, mode] = process.argv.slice(2);
const tour = JSON.parse(fs.readFileSync(path.join(__dirname, "../tour.json"), "utf8"));

/** Knocks without a token, and follows where the refusal leads. */
async function logIn(client, login) {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: login });
  try {
    await client.connect(transport);
  } catch (error) {
    if (!login.page) throw error;
    const back = await guide.browse(login.page.href);
    await transport.finishAuth(login.answer(back));
    return;
  }
  throw new Error("let in without a token");
}

async function main() {
  const { era } = tour.modes[mode];
  const login = new Login({ name: "typescript tour", redirectUri: REDIRECT_URI });
  const make = () =>
    new Client(
      { name: "typescript tour", version: "1" },
      { capabilities: CAPABILITIES, versionNegotiation: { mode: NEGOTIATION[mode] } },
    );
  await logIn(make(), login);
  const client = make();
  const person = new Person(client, tour.person);
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: login,
    // A broken connection is taken up again at once.
    reconnectionOptions: {
      initialReconnectionDelay: 50,
      maxReconnectionDelay: 1000,
      reconnectionDelayGrowFactor: 2,
      maxRetries: 5,
    },
  });
  await client.connect(transport);
  const visit = { client, transport, person, era, login };
  for (const step of tour.steps.filter((step) => !step.era || step.era === era)) {
    await guide.report(step.name, () => steps[step.name](visit, step));
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
