// The page Publish: sends its forms to the app and shows the progress.

import { openPlace } from "../web/studio/place.js";

const POLL = 500; // ms
const TARGETS = ["static", "zerogpu", "cpu"]; // values of --target
const SWITCH = (name) =>
  `<label class="switch"><input type="checkbox" name="${name}"> <span data-text="publish_${name}"></span></label>`;
const OPTION = (target) => `<option value="${target}" data-text="publish_target_${target}"></option>`;
const BUTTONS = (kind) => `<div class="row"><button name="dry_run" value="1" data-text="publish_dry_run"></button>
  <button class="primary" data-text="publish_send_${kind}"></button></div>`;

const PUBLISH = `
<p data-text="publish_about"></p>
<section class="panel" aria-labelledby="who">
  <h2 id="who" data-text="publish_account"></h2>
  <p id="account" role="status"></p>
  <form id="login">
    <label for="token" data-text="publish_token"></label>
    <div class="row"><input id="token" type="password" autocomplete="off" aria-describedby="token-hint"
      ><button data-text="publish_login"></button></div>
    <p class="hint" id="token-hint"><a href="https://huggingface.co/settings/tokens" rel="noreferrer"
      >huggingface.co/settings/tokens</a>. <span data-text="publish_token_hint"></span></p>
  </form>
</section>
<section class="panel" aria-labelledby="model">
  <h2 id="model" data-text="publish_model"></h2>
  <form data-kind="model">
    <label for="export" data-text="publish_export"></label>
    <select id="export" name="export"></select>
    <label for="model-name" data-text="publish_name"></label>
    <input id="model-name" name="name" placeholder="you/storyteller" autocomplete="off">
    ${SWITCH("snapshots")}
    ${SWITCH("private")}
    ${BUTTONS("model")}
  </form>
</section>
<section class="panel" aria-labelledby="space">
  <h2 id="space" data-text="publish_space"></h2>
  <form data-kind="space">
    <label for="space-name" data-text="publish_name"></label>
    <input id="space-name" name="name" placeholder="you/storyteller" autocomplete="off">
    <label for="space-model" data-text="publish_space_model"></label>
    <input id="space-model" name="model" autocomplete="off">
    <label for="target" data-text="publish_target"></label>
    <select id="target" name="target">${TARGETS.map(OPTION).join("")}</select>
    ${SWITCH("private")}
    ${BUTTONS("space")}
  </form>
</section>
<section class="panel" id="state" aria-labelledby="progress" hidden>
  <h2 id="progress" data-text="progress"></h2>
  <progress id="busy" hidden data-label="place_publish"></progress>
  <p id="error" role="alert"></p>
  <pre id="lines" tabindex="0" data-label="publish_done"></pre>
</section>`;

const place = await openPlace("publish", PUBLISH, "publish/text.json");
const part = (id) => document.getElementById(id);

async function request(name, values) {
  const headers = { "Content-Type": "application/json", "X-Inkling-Publish": "1" };
  const options = values && { method: "POST", headers, body: JSON.stringify(values) };
  const response = await fetch(`publish/${name}`, options);
  const content = await response.json();
  if (!response.ok) throw new Error(content.detail);
  return content;
}

function showAccount(name) {
  part("account").textContent = name ? place.say("publish_logged_in", { name }) : place.say("publish_logged_out");
  part("login").hidden = Boolean(name);
}

function show({ lines, error, bar, busy }) {
  part("lines").textContent = (bar ? [...lines, bar] : lines).join("\n");
  part("error").textContent = error ? place.say("publish_stopped", { error }) : "";
  part("busy").hidden = !busy;
  part("state").hidden = !busy && !error && !lines.length;
  for (const button of document.querySelectorAll("form[data-kind] button")) button.disabled = busy;
}

async function follow() {
  for (;;) {
    const state = await request("state");
    show(state);
    if (!state.busy) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

part("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = part("token").value;
  part("token").value = "";
  try {
    showAccount((await request("login", { token })).account);
  } catch (problem) {
    part("account").textContent = problem.message;
  }
});

for (const form of document.querySelectorAll("form[data-kind]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    for (const box of form.querySelectorAll("[type=checkbox]")) values[box.name] = box.checked;
    values.dry_run = event.submitter?.name === "dry_run";
    try {
      await request("start", { kind: form.dataset.kind, ...values });
      await follow();
    } catch (problem) {
      part("state").hidden = false;
      part("error").textContent = problem.message;
    }
  });
}

const state = await request("state?account");
for (const folder of state.exports) part("export").append(new Option(folder, folder));
// The page Models links here with a model's folder or with a run; select its export.
const query = new URLSearchParams(location.search);
const chosen = state.exports.find(
  (folder) => folder === query.get("model") || folder.split(/[\\/]/).at(-2) === query.get("run"),
);
if (chosen !== undefined) part("export").value = chosen;
showAccount(state.account);
show(state);
if (state.busy) await follow();
document.body.setAttribute("ready", "");
