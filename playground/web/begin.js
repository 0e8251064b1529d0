// Loads a JSON file that the page needs to start; on failure, start_failure.js shows why.

export async function begin(address) {
  let why = "…"; // no response
  try {
    const answer = await fetch(address);
    why = answer.ok ? "JSON" : String(answer.status);
    if (answer.ok) return await answer.json();
  } catch {
    /* shown below */
  }
  const name = new URL(address).pathname.split("/").pop();
  globalThis.inklingStartFailed("file", { name, why });
  throw new Error(`${name} did not load (${why})`);
}
