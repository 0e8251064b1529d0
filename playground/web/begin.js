// What a page begins with: JSON files, without which it can only say why (trouble.js).

export async function begin(address) {
  let why = "…"; // no answer
  try {
    const answer = await fetch(address);
    if (!answer.ok) why = String(answer.status);
    else {
      why = "JSON";
      return await answer.json();
    }
  } catch {
    /* said below */
  }
  const name = new URL(address).pathname.split("/").pop();
  globalThis.inklingTrouble("file", { name, why });
  throw new Error(`${name} did not load (${why})`);
}
