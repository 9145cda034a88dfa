// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Only passkeys need a script, because only a script can ask an authenticator
// (Web Authentication, https://www.w3.org/TR/webauthn-3/).
(() => {
  "use strict";

  // Browsers create no passkeys for an IP address.
  const possible = window.PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname);
  if (!possible) return;

  const base = new URL("../", document.currentScript.src);
  const address = (path) => new URL(path + "?lang=" + document.documentElement.lang, base);

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const descriptor = (each) => ({ ...each, id: bytes(each.id) });

  // The cause of a refusal, in the words of the portal.
  class Refused extends Error {}

  const post = async (path, contentType, body) => {
    const response = await fetch(address(path), {
      method: "POST",
      headers: { "Content-Type": contentType },
      body,
      cache: "no-store",
      redirect: "manual",
    });
    // The session has ended: load the page again, so the person can sign in.
    if (response.type === "opaqueredirect") {
      location.reload();
      return new Promise(() => {});
    }
    const isAnswer = response.headers.get("Content-Type") === "application/json";
    const answer = isAnswer ? await response.json() : {};
    if (!response.ok) throw new Refused(answer.problem || "");
    return answer;
  };

  // The answer of an authenticator, in the portal's format.
  const written = (credential, response) => JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment || undefined,
    response,
  });

  // Run does something while a button is busy, and shows the error if it fails.
  const run = async (part, button, label, action) => {
    const problem = part.querySelector("[data-problem], [role=alert]");
    problem.setAttribute("role", "alert");
    problem.hidden = true;
    button.setAttribute("aria-disabled", "true");
    button.textContent = button.dataset.busy;
    try {
      await action();
    } catch (error) {
      const names = { NotAllowedError: part.dataset.cancelled, AbortError: part.dataset.cancelled, InvalidStateError: part.dataset.known };
      problem.textContent = (error instanceof Refused ? error.message : names[error.name]) || part.dataset.failed;
      problem.hidden = false;
      button.removeAttribute("aria-disabled");
      button.textContent = label;
    }
  };

  const signIn = document.getElementById("passkey-sign-in");
  if (signIn) {
    const button = signIn.querySelector("button");
    const label = button.textContent;
    signIn.hidden = false;
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      run(signIn, button, label, async () => {
        const { publicKey } = await post("sign-in/passkey/options", "application/json", "{}");
        const credential = await navigator.credentials.get({ publicKey: { ...publicKey, challenge: bytes(publicKey.challenge) } });
        const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
        const answer = await post("sign-in/passkey", "application/json", written(credential, {
          clientDataJSON: text(clientDataJSON),
          authenticatorData: text(authenticatorData),
          signature: text(signature),
          userHandle: userHandle ? text(userHandle) : undefined,
        }));
        // On the page of an invitation, the person continues there.
        const next = signIn.closest("[data-next]");
        location.assign(next ? next.dataset.next : answer.location);
      });
    });
  }

  // Make creates a passkey and returns it for the portal to read.
  const make = async (publicKey) => {
    const credential = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: (publicKey.excludeCredentials || []).map(descriptor),
      },
    });
    const { clientDataJSON, attestationObject } = credential.response;
    const transports = credential.response.getTransports ? credential.response.getTransports() : [];
    return written(credential, {
      clientDataJSON: text(clientDataJSON),
      attestationObject: text(attestationObject),
      transports,
    });
  };

  const add = document.getElementById("passkey-add");
  if (add) {
    const button = add.querySelector("button[type=submit]");
    const label = button.textContent;
    add.hidden = false;
    document.getElementById("passkey-impossible").hidden = true;
    add.addEventListener("submit", (event) => {
      if (event.defaultPrevented) return; // already in progress
      event.preventDefault();
      run(add, button, label, async () => {
        const path = "account/second-factor/passkey/options";
        const { publicKey } = await post(path, "application/x-www-form-urlencoded", new URLSearchParams(new FormData(add)));
        add.elements["passkey-answer"].value = await make(publicKey);
        // The portal has checked the password. Do not send it again.
        if (add.elements["current-password"]) add.elements["current-password"].value = "";
        add.submit();
      });
    });
  }

  // In the form that creates an account. The form is submitted afterwards.
  const enrol = document.getElementById("passkey-enrol");
  if (enrol) {
    const button = enrol.querySelector("button");
    const answer = enrol.querySelector("input");
    const label = button.textContent;
    enrol.hidden = false;
    button.hidden = answer.value !== "";
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      run(enrol, button, label, async () => {
        const { user, ...publicKey } = JSON.parse(enrol.dataset.options);
        const chosen = answer.form.elements["user-name"].value.trim().toLowerCase();
        const name = chosen ? chosen + enrol.dataset.qualifier : user.name;
        answer.value = await make({ ...publicKey, user: { ...user, name, displayName: name } });
        enrol.querySelector("[role=status]").textContent = enrol.dataset.ready;
        button.hidden = true;
      });
    });
  }
})();
