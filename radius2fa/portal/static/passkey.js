// Asks the browser for a security key, and puts what it says into the form: the one thing that needs a script.
"use strict";

const fromBase64url = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const toBase64url = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (octet) => String.fromCharCode(octet)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function decoded(options) {
  const known = (list) => (list || []).map((each) => ({ ...each, id: fromBase64url(each.id) }));
  const result = { ...options, challenge: fromBase64url(options.challenge) };
  if (options.user) {
    result.user = { ...options.user, id: fromBase64url(options.user.id) };
    result.excludeCredentials = known(options.excludeCredentials);
  } else {
    result.allowCredentials = known(options.allowCredentials);
  }
  return result;
}

function encoded(credential) {
  const said = credential.response;
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (said[part]) response[part] = toBase64url(said[part]);
  }
  if (said.getTransports) response.transports = said.getTransports();
  const id = toBase64url(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: credential.type, response });
}

// Shows the one message of a form that has this name, or none.
function show(form, name) {
  for (const message of form.querySelectorAll("[data-message]")) {
    message.hidden = message.dataset.message !== name;
  }
}

function settle(form, busy, name) {
  form.setAttribute("aria-busy", String(busy));
  form.querySelector("button").disabled = busy;
  show(form, name);
}

async function run(form) {
  if (form.querySelector("button").disabled) return;
  settle(form, true, "waiting");
  try {
    const publicKey = decoded(JSON.parse(form.dataset.options));
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
    form.querySelector("[name=response]").value = encoded(credential);
    form.submit();
  } catch (wrong) {
    // A key that is enrolled already says so; of all else (taken back, too late, unknown) browsers tell nothing.
    settle(form, false, wrong.name === "InvalidStateError" ? "known" : "failed");
    form.querySelector("button").focus();
  }
}

const usable = Boolean(window.PublicKeyCredential && navigator.credentials);
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !usable;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(form);
  });
  // Whoever comes back to the page, finds it as it was at first.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) settle(form, false, "");
  });
}
for (const message of document.querySelectorAll("[data-no-passkeys]")) {
  message.hidden = usable;
}
for (const message of document.querySelectorAll("[data-no-script]")) {
  message.hidden = true;
}
