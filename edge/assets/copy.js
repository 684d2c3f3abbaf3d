// Copy buttons. They are hidden until this runs, since they do nothing without it.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  const text = () => document.getElementById(button.dataset.copies).textContent;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      // Without permission, or without https away from this machine: the text is selected for the keyboard.
      getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
      button.textContent = "Selected";
    }
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  });
}
