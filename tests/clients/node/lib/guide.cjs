"use strict";
// The one who leads the tour: hears what was seen over standard output, and does over standard input what is asked for.

const readline = require("node:readline");

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function ask(question) {
  say(question);
  const { value, done } = await answers.next();
  if (done) throw new Error("nobody answers");
  return JSON.parse(value);
}

/** Has a browser opened at `url` and the login done; answers with where the browser was sent in the end. */
const browse = async (url) => new URL((await ask({ ask: "browse", url })).url);

/** Has every open stream broken off. */
const breakStreams = () => ask({ ask: "break streams" });

/** The client cannot do this step. */
class Unsupported extends Error {}

/** Runs one step and says what came of it. */
async function report(step, run) {
  try {
    say({ step, saw: await run() });
  } catch (error) {
    if (error instanceof Unsupported) {
      say({ step, unsupported: error.message });
      return;
    }
    say({ step, failed: `${error?.stack ?? error}` });
    throw error;
  }
}

/** Polls for a condition until a deadline. */
async function eventually(what, condition, patienceMs = 20_000) {
  const end = Date.now() + patienceMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

module.exports = { browse, breakStreams, Unsupported, report, eventually };
