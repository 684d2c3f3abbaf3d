"use strict";
// A person in front of a real Chromium: logs in, and agrees.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");

const PATIENCE_MS = 30_000;
const PAGES = 10;
// Nothing of the browser's own may use the network.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Runs `use` with a fresh browser's page. Screenshots go to `directory`, numbered. */
async function withPage(directory, use) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "everything-chromium-"));
  fs.mkdirSync(directory, { recursive: true });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width: 390, height: 844 },
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(PATIENCE_MS);
    const problems = [];
    page.on("console", (message) => {
      // What a page's policy refuses is told nowhere else.
      if (message.type() === "error" && /Content Security Policy/.test(message.text())) problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    let number = 0;
    const shoot = async (name) => {
      number += 1;
      await page.screenshot({ path: path.join(directory, `${number}-${name}.png`), fullPage: true });
    };
    const result = await use(page, shoot);
    if (problems.length > 0) throw new Error(`the browser complains: ${problems.join("; ")}`);
    return result;
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

/** Does what the pages ask for until `landed` says that the client has been reached. */
async function logIn(page, shoot, url, user, landed) {
  await page.goto(url);
  for (let step = 0; step < PAGES && !landed(); step += 1) {
    if (await page.locator("button[value=approve]").count()) {
      await shoot("consent");
      await submit(page, page.locator("button[value=approve]"));
    } else if (await page.locator("#user_id").count()) {
      await page.fill("#user_id", user);
      await shoot("fake-login");
      await submit(page, page.locator("button[type=submit]"));
    } else if (await page.locator("input[name=login]").count()) {
      // The development pages of `oidc-provider`.
      await page.fill("input[name=login]", user);
      await page.fill("input[name=password]", "any");
      await shoot("provider-login");
      await submit(page, page.locator("button[type=submit]"));
    } else if (await page.locator("form[action*=interaction] button[type=submit]").count()) {
      await shoot("provider-consent");
      await submit(page, page.locator("button[type=submit]"));
    } else {
      await shoot("unknown");
      throw new Error(`nothing to do on ${page.url()}: ${await page.locator("body").innerText()}`);
    }
  }
  if (!landed()) throw new Error(`the login goes round in circles, last at ${page.url()}`);
  await shoot("landed");
}

async function submit(page, button) {
  const away = page.waitForNavigation({ waitUntil: "load" });
  await Promise.all([away, button.click()]);
}

module.exports = { withPage, logIn, submit };
