// A second click while the first is on its way does nothing. Which button was pressed is sent all the same.
"use strict";

for (const form of document.querySelectorAll("form")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
    }
    sent = true;
  });
  // Back to this page from the browser's history: it may be sent again.
  addEventListener("pageshow", () => {
    sent = false;
  });
}
