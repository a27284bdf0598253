// Comfort for the pages. Everything works without this file; it only reveals what
// needs a script and keeps an impatient second click from sending a form twice.
"use strict";

// In the language of the page.
const words = document.currentScript.dataset;

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const word = button.firstChild;
  const shown = word.data;
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    word.data = visible ? words.wordHide : shown;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  // Browsers remember what was typed into visible fields, so it is hidden before it is sent.
  input.form.addEventListener("submit", () => show(false));
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const status = document.querySelector("[data-copy-status]");
  const label = button.textContent;
  const selectAll = () => getSelection().selectAllChildren(source);
  button.hidden = false;
  button.addEventListener("click", async () => {
    let said;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      said = words.wordCopied;
    } catch {
      // The clipboard is closed to pages over plain http, except on localhost.
      selectAll();
      said = words.wordSelect;
    }
    button.textContent = said;
    status.textContent = said;
    setTimeout(() => { button.textContent = label; }, 4000);
  });
}

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
  });
}

// The back button may bring a page back as it was left; its forms may then be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
  }
});

document.getElementById("errors")?.focus();
