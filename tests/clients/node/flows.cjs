"use strict";
// node flows.cjs ORIGIN FLOW DIRECTORY: what people do with the login pages, in Chromium. Screenshots go to DIRECTORY.

const assert = require("node:assert/strict");
const { withPage, logIn, submit } = require("./lib/person.cjs");
const client = require("./lib/client.cjs");

const [origin, flow, directory] = process.argv.slice(2);
const KEY = "everything-fake-user-id";

const approve = (page) => page.locator("button[value=approve]");
const deny = (page) => page.locator("button[value=deny]");

/** What the token endpoint gives for the code that came back. */
async function redeemed(visit) {
  const back = visit.back.urls.at(-1);
  assert.equal(back.searchParams.get("state"), visit.request.state);
  assert.equal(back.searchParams.get("iss"), origin);
  const code = back.searchParams.get("code");
  assert.ok(code, `no code in ${back}`);
  return client.redeem(origin, visit.clientId, visit.back.redirectUri, visit.request.verifier, code);
}

const flows = {
  /** From the client to the client, as most people go. */
  async login(page, shoot, visit) {
    await page.goto(visit.request.url);
    await shoot("consent");
    const text = await page.locator("main").innerText();
    for (const shown of ["Browser test", new URL(visit.back.redirectUri).host, `${origin}/mcp`, "mcp:tools", "mcp:resources", "mcp:prompts"]) {
      assert.ok(text.includes(shown), `${shown} is not shown: ${text}`);
    }
    assert.match(text, /program on this computer/);
    await submit(page, approve(page));
    await shoot("fake-login");
    assert.match(await page.locator("main").innerText(), /not a real login/);
    const generated = await page.inputValue("#user_id");
    assert.match(generated, /^user-[0-9a-f]{8}$/);
    await submit(page, page.locator("button[type=submit]"));
    await shoot("landed");
    const { status, body } = await redeemed(visit);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.token_type, "Bearer");
  },

  /** The user id stays in the browser, can be made anew and can be typed. */
  async edit_user(page, shoot, visit) {
    await page.goto(visit.request.url);
    await submit(page, approve(page));
    const first = await page.inputValue("#user_id");
    assert.equal(await page.evaluate((key) => localStorage.getItem(key), KEY), first);
    await page.reload();
    assert.equal(await page.inputValue("#user_id"), first, "it is remembered");
    await page.click("#another");
    const second = await page.inputValue("#user_id");
    assert.notEqual(second, first);
    await shoot("another");
    await page.fill("#user_id", "ada.lovelace");
    await shoot("typed");
    await submit(page, page.locator("button[type=submit]"));
    assert.equal((await redeemed(visit)).status, 200);
    // The next login of this browser is the same user's.
    const again = client.authorizationRequest(origin, visit.clientId, visit.back.redirectUri);
    await page.goto(`${again.url}&prompt=consent`);
    await submit(page, approve(page));
    assert.equal(await page.inputValue("#user_id"), "ada.lovelace");
    await shoot("remembered");
  },

  /** The client hears of it, and gets nothing. */
  async deny(page, shoot, visit) {
    await page.goto(visit.request.url);
    await submit(page, deny(page));
    await shoot("landed");
    assert.equal(visit.back.urls.length, 1);
    const back = visit.back.urls[0].searchParams;
    assert.equal(back.get("error"), "access_denied");
    assert.equal(back.get("state"), visit.request.state);
    assert.equal(back.get("iss"), origin);
    assert.equal(back.get("code"), null);
    // No is not remembered as yes.
    await page.goto(client.authorizationRequest(origin, visit.clientId, visit.back.redirectUri).url);
    assert.equal(await approve(page).count(), 1);
  },

  /** Somebody comes back from lunch: LOGIN_TTL_S is a second here. */
  async expired_page(page, shoot, visit) {
    await page.goto(visit.request.url);
    await page.waitForTimeout(2500);
    const [answer] = await Promise.all([page.waitForNavigation(), approve(page).click()]);
    await shoot("expired");
    assert.equal(answer.status(), 400);
    assert.match(await page.locator("main").innerText(), /log in again|start again|begin again|expired/i);
    assert.equal(visit.back.urls.length, 0);
    await page.goto(visit.request.url);
    assert.equal(await approve(page).count(), 1, "the client's link still works");
  },

  /** Both clicks are one. */
  async double_click(page, shoot, visit) {
    const posts = [];
    page.on("request", (request) => {
      if (request.method() === "POST") posts.push(request.url());
    });
    await page.goto(visit.request.url);
    await approve(page).dblclick();
    await page.waitForSelector("#user_id");
    await page.locator("button[type=submit]").dblclick();
    await page.waitForURL(`${visit.back.redirectUri}*`);
    await shoot("landed");
    assert.equal(posts.length, 2, posts.join(" "));
    assert.equal(visit.back.urls.length, 1);
    assert.equal((await redeemed(visit)).status, 200);
  },

  /** What was sent is not sent again, and a page says what to do; a page that is still good works. */
  async back_button(page, shoot, visit) {
    await page.goto(visit.request.url);
    await submit(page, approve(page));
    await page.waitForSelector("#user_id");
    await page.goBack();
    await page.waitForSelector("button[value=approve]");
    await shoot("back-at-consent");
    await Promise.all([page.waitForNavigation(), approve(page).click()]);
    await shoot("decided-again");
    if (await page.locator("#user_id").count()) {
      await submit(page, page.locator("button[type=submit]"));
      assert.equal((await redeemed(visit)).status, 200);
      return;
    }
    assert.match(await page.locator("main").innerText(), /log in again|start again|begin again|expired|used/i);
    assert.equal(visit.back.urls.length, 0);
    // Forward again: the login that was begun goes on.
    const again = client.authorizationRequest(origin, visit.clientId, visit.back.redirectUri);
    await logIn(page, shoot, again.url, "back", () => visit.back.urls.length > 0);
    visit.request = again;
    assert.equal((await redeemed(visit)).status, 200);
  },

  /** RFC 9126: the browser carries nothing but a reference. */
  async pushed(page, shoot, visit) {
    const parameters = new URL(visit.request.url).searchParams;
    const answer = await fetch(`${origin}/par`, { method: "POST", body: parameters });
    assert.equal(answer.status, 201);
    const { request_uri } = await answer.json();
    const url = `${origin}/authorize?${new URLSearchParams({ client_id: visit.clientId, request_uri })}`;
    await logIn(page, shoot, url, "pushed", () => visit.back.urls.length > 0);
    assert.equal((await redeemed(visit)).status, 200);
  },

  /** Pages work without their scripts. */
  async without_scripts(page, shoot, visit) {
    await page.route("**/*.js*", (route) => route.abort());
    await logIn(page, shoot, visit.request.url, "scriptless", () => visit.back.urls.length > 0);
    assert.equal((await redeemed(visit)).status, 200);
  },
};

async function main() {
  const back = await client.listen();
  try {
    const clientId = await client.register(origin, back.redirectUri);
    const visit = { back, clientId, request: client.authorizationRequest(origin, clientId, back.redirectUri) };
    await withPage(directory, (page, shoot) => flows[flow](page, shoot, visit));
  } finally {
    back.close();
  }
  console.log("flow passed");
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
