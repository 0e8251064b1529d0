// The page "Publish": sends its forms to the app, and shows how far that is.

const POLL = 500; // ms
const part = (id) => document.getElementById(id);

async function ask(name, values) {
  const answer = await fetch(
    `publish/${name}`,
    values === undefined
      ? {}
      : {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-Inkling-Publish": "1" },
          body: JSON.stringify(values),
        },
  );
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

function showAccount(name) {
  part("account").textContent = name ? `You are logged in as ${name}.` : "You are not logged in.";
  part("login").hidden = Boolean(name);
}

function show({ lines, error, bar, busy }) {
  part("lines").textContent = (bar ? [...lines, bar] : lines).join("\n");
  part("error").textContent = error ? `It stopped: ${error}` : "";
  part("busy").hidden = !busy;
  for (const button of document.querySelectorAll("form[data-kind] button")) button.disabled = busy;
}

async function follow() {
  for (;;) {
    const state = await ask("state");
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
    showAccount((await ask("login", { token })).account);
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
      await ask("start", { kind: form.dataset.kind, ...values });
      await follow();
    } catch (problem) {
      part("error").textContent = problem.message;
    }
  });
}

const state = await ask("state?account");
for (const folder of state.exports) part("export").append(new Option(folder, folder));
// As Models opens this page: with a model's folder, or with a run, whose export it is.
const wanted = new URLSearchParams(location.search);
const chosen = state.exports.find(
  (folder) => folder === wanted.get("model") || folder.split(/[\\/]/).at(-2) === wanted.get("run"),
);
if (chosen !== undefined) part("export").value = chosen;
showAccount(state.account);
show(state);
if (state.busy) await follow();
document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
document.body.setAttribute("ready", "");
