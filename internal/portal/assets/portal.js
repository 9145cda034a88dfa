// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// The pages work without this script. It never sends a typed password anywhere before
// the form is submitted.
(() => {
  "use strict";

  // One click sends one request.
  for (const each of document.forms) {
    const submit = each.querySelector("button[type=submit]");
    const label = submit.textContent;
    each.addEventListener("submit", (event) => {
      if (submit.getAttribute("aria-disabled") === "true") {
        event.preventDefault();
        return;
      }
      submit.setAttribute("aria-disabled", "true");
      if (submit.dataset.busy) submit.textContent = submit.dataset.busy;
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      submit.removeAttribute("aria-disabled");
      submit.textContent = label;
    });
  }

  // Browsers keep pages for the Back button, despite Cache-Control. The person may have
  // signed out in the meantime, so a page of an account that comes back stays hidden
  // until the portal has answered who is signed in.
  if (document.querySelector(".member")) {
    addEventListener("pagehide", () => {
      document.body.hidden = true;
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.replace(location.pathname + location.search);
    });
  }

  // Forms with a new password in two fields.
  for (const password of document.querySelectorAll("[data-missing]")) {
    const form = password.form;
    const again = document.getElementById(password.id + "-again");
    // How many characters are still missing.
    const least = Number(password.getAttribute("minlength"));
    const texts = password.dataset;
    const length = document.createElement("div");
    const bar = document.createElement("progress");
    const words = document.createElement("span");
    length.className = "length";
    length.hidden = true;
    bar.max = least;
    bar.setAttribute("aria-hidden", "true");
    words.setAttribute("role", "status");
    length.append(bar, words);
    const count = () => {
      const typed = [...password.value.normalize("NFC")].length;
      const missing = least - typed;
      length.hidden = typed === 0;
      bar.value = Math.min(typed, least);
      length.toggleAttribute("data-enough", missing <= 0);
      words.textContent = missing > 1 ? texts.missing.replace("{count}", missing) : missing === 1 ? texts.missingOne : texts.enough;
    };
    password.addEventListener("input", count);

    // One button shows both passwords, for people who need to see what they type.
    const frame = document.createElement("div");
    frame.className = "secret";
    const show = document.createElement("button");
    show.type = "button";
    show.textContent = texts.show;
    show.setAttribute("aria-label", texts.showLabel);
    show.setAttribute("aria-pressed", "false");
    show.addEventListener("click", () => {
      const shown = password.type === "password";
      password.type = again.type = shown ? "text" : "password";
      show.textContent = shown ? texts.hide : texts.show;
      show.setAttribute("aria-pressed", String(shown));
    });
    password.replaceWith(frame);
    frame.append(password, show);
    frame.after(length);

    // Before the form is submitted, hide the password, so the browser does not remember it.
    form.addEventListener("submit", () => {
      password.type = again.type = "password";
    });
  }

  const userName = document.getElementById("user-name");
  if (!userName) return;

  const form = userName.form;
  const status = document.getElementById("user-name-status");

  const say = (state, text) => {
    status.dataset.state = state;
    status.textContent = text;
  };

  // When the typing stops, ask whether the user name is available. Only the answer to
  // the latest request counts.
  let timer = 0;
  let question = null;
  const ask = async () => {
    const value = userName.value.trim();
    if (question) question.abort();
    if (!value) return say("", "");
    question = new AbortController();
    try {
      const address = new URL(form.action).pathname + "/user-name?lang=" + document.documentElement.lang + "&value=" + encodeURIComponent(value);
      const response = await fetch(address, { signal: question.signal, cache: "no-store" });
      if (!response.ok) return say("", "");
      const answer = await response.json();
      say(answer.state, answer.message);
    } catch {
      // The server checks the name again when the form is submitted.
    }
  };
  userName.addEventListener("input", () => {
    clearTimeout(timer);
    say("", "");
    timer = setTimeout(ask, 400);
  });

  // Proposals fill the field in place, so other fields keep their values.
  for (const link of document.querySelectorAll("[data-user-name]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = link.dataset.userName;
    button.addEventListener("click", () => {
      userName.value = link.dataset.userName;
      clearTimeout(timer);
      ask();
    });
    link.replaceWith(button);
  }
})();
