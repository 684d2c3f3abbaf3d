"use strict";
// node person.cjs URL CALLBACK USER DIRECTORY: opens URL in Chromium and logs in, until the browser is sent to CALLBACK.

const { withPage, logIn } = require("./lib/person.cjs");

async function main() {
  const [url, callback, user, directory] = process.argv.slice(2);
  await withPage(directory, async (page, shoot) => {
    let landed = false;
    page.on("response", (response) => {
      landed ||= response.url().startsWith(callback);
    });
    await logIn(page, shoot, url, user, () => landed);
  });
  console.log("logged in");
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
