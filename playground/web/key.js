// The page that asks for the owner's key (server/owner.py): it opens the same address with the key.

document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = /** @type {HTMLInputElement} */ (document.querySelector("#key")).value.trim();
  const key = /[?&]key=([^&\s]+)/.exec(typed)?.[1] ?? typed; // the whole address may be pasted
  location.replace(`${location.pathname}?${new URLSearchParams({ key })}`);
});
document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
