// Passkeys: brings what the browser's authenticator says into a form. The forms stay
// hidden without this file; every page has another way that needs no script.
"use strict";

const fromBase64 = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const toBase64 = (buffer) => {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const readOptions = (text) => {
  const options = JSON.parse(text);
  options.challenge = fromBase64(options.challenge);
  if (options.user) {
    options.user.id = fromBase64(options.user.id);
  }
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    for (const credential of options[list] ?? []) {
      credential.id = fromBase64(credential.id);
    }
  }
  return options;
};

const writeCredential = (credential) => {
  const response = { clientDataJSON: toBase64(credential.response.clientDataJSON) };
  if (credential.response.attestationObject) {
    response.attestationObject = toBase64(credential.response.attestationObject);
    response.transports = credential.response.getTransports?.() ?? [];
  } else {
    response.authenticatorData = toBase64(credential.response.authenticatorData);
    response.signature = toBase64(credential.response.signature);
    if (credential.response.userHandle) {
      response.userHandle = toBase64(credential.response.userHandle);
    }
  }
  return JSON.stringify({
    id: credential.id,
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
};

// In the language of the page.
const said = document.currentScript.dataset;

const explain = (error) => {
  switch (error.name) {
    case "InvalidStateError":
      return said.wordRegistered;
    case "NotAllowedError":
      return said.wordNone;
    case "SecurityError":
      return said.wordWrongAddress;
    default:
      return said.wordFailed;
  }
};

const prepare = (form) => {
  const status = form.querySelector("[data-passkey-status]");
  let waiting = new AbortController();

  const finish = (credential) => {
    form.elements.credential.value = writeCredential(credential);
    form.submit();
  };

  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Only one request may be open, and the one that waits in the list of usernames is.
    waiting.abort();
    waiting = new AbortController();
    status.textContent = "";
    const publicKey = readOptions(form.dataset.options);
    try {
      const credential = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey, signal: waiting.signal })
        : await navigator.credentials.get({ publicKey, signal: waiting.signal });
      finish(credential);
    } catch (error) {
      if (error.name !== "AbortError") {
        status.textContent = explain(error);
      }
    }
  });

  const offer = async () => {
    if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) {
      return;
    }
    try {
      const publicKey = readOptions(form.dataset.options);
      finish(await navigator.credentials.get({ publicKey, mediation: "conditional", signal: waiting.signal }));
    } catch {
      // Nobody chose a passkey from the list; the button is still there.
    }
  };
  if ("conditional" in form.dataset) {
    offer();
  }
};

if (globalThis.PublicKeyCredential) {
  for (const notice of document.querySelectorAll("[data-without-script]")) {
    notice.hidden = true;
  }
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    prepare(form);
  }
}
