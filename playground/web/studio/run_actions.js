// The actions of a run's buttons, on Train and on Models.

import { confirmByName } from "./confirm_by_name.js";
import { follow, post } from "./server.js";

export const writeAddress = (model) => `./?${new URLSearchParams({ model })}`;

/**
 * Carries out the action of a run's button. Resolves when the app has answered; rejects with its error.
 * @param {import("./place.js").Place} place
 * @param {string} action
 * @param {any} run
 * @param {(task: any) => void} [onProgress] called with each state of a task
 * @returns {Promise<boolean>} whether the action was carried out
 */
export async function runAction(place, action, run, onProgress) {
  const { name } = run,
    path = `runs/${encodeURIComponent(name)}`;
  if (action === "write") {
    const result = await follow((await post(`${path}/write`)).task, onProgress);
    if (result) location.assign(writeAddress(result.model));
    return Boolean(result);
  }
  if (action === "evaluate") return Boolean(await follow((await post(`${path}/evaluate`)).task, onProgress));
  if (action === "restart" || action === "delete") {
    const question = { title: place.say(`${action}_title`, { name }), hint: place.say(`${action}_hint`), name };
    if (!(await confirmByName(place, { ...question, act: place.say(`do_${action}`) }))) return false;
    await post(`${path}/${action}`, { name });
    return true;
  }
  await post(`${path}/${action}`);
  return true;
}
