// What a person does with a run, from Train and from Models alike: a button's name is a deed.

import { askForName } from "./ask.js";
import { follow, post } from "./server.js";

export const writeAddress = (model) => `./?${new URLSearchParams({ model })}`;

/**
 * Does what a button of a run says. Resolves when the app has answered; rejects with its refusal.
 * @param {import("./place.js").Place} place
 * @param {string} action
 * @param {any} run
 * @param {(task: any) => void} [hear] hears how far a task is
 * @returns {Promise<boolean>} whether something was done
 */
export async function deed(place, action, run, hear) {
  const { name } = run,
    path = `runs/${encodeURIComponent(name)}`;
  if (action === "write") {
    const result = await follow((await post(`${path}/write`)).task, hear);
    if (result) location.assign(writeAddress(result.model));
    return Boolean(result);
  }
  if (action === "evaluate") return Boolean(await follow((await post(`${path}/evaluate`)).task, hear));
  if (action === "restart" || action === "delete") {
    const question = { title: place.say(`${action}_title`, { name }), hint: place.say(`${action}_hint`), name };
    if (!(await askForName(place, { ...question, act: place.say(`do_${action}`) }))) return false;
    await post(`${path}/${action}`, { name });
    return true;
  }
  await post(`${path}/${action}`);
  return true;
}
