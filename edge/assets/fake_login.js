// Remembers who this browser logged in as last. Without scripts the id is typed.
"use strict";

const KEY = "everything-fake-user-id";
const input = document.getElementById("user_id");
const another = document.getElementById("another");

function generate() {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return "user-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // Storage is off: a new user each time.
  }
}

function remember(id) {
  try {
    localStorage.setItem(KEY, id);
  } catch {
    // Storage is off.
  }
}

input.value = remembered() || generate();
remember(input.value);

another.hidden = false;
another.addEventListener("click", () => {
  input.value = generate();
  remember(input.value);
  input.focus();
});

input.form.addEventListener("submit", () => remember(input.value.trim()));
