// What Train and Models ask the app: JSON endpoints below studio/ (playground/runs).

const HEADERS = { "content-type": "application/json", "x-inkling-studio": "1" };

/** Why the app did not do something: its sentence, or an empty one if it did not answer. */
export class Refusal extends Error {
  /**
   * @param {string} sentence
   * @param {number} status of HTTP; 0 without an answer
   * @param {string} [remedy] that a button can offer: "anyway"
   */
  constructor(sentence, status, remedy = "") {
    super(sentence);
    this.status = status;
    this.remedy = remedy;
  }
}

/**
 * @param {string} path below studio/
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function ask(path, options = {}) {
  let answer, found;
  try {
    answer = await fetch(`studio/${path}`, { cache: "no-store", ...options });
    found = await answer.json();
  } catch {
    throw new Refusal("", answer?.status ?? 0);
  }
  if (!answer.ok) throw new Refusal(String(found.detail ?? ""), answer.status, found.remedy);
  return found;
}

/** @param {string} path */
export const get = (path) => ask(path);

/**
 * @param {string} path
 * @param {object} [values]
 */
export const post = (path, values = {}) =>
  ask(path, { method: "POST", headers: HEADERS, body: JSON.stringify(values) });

/**
 * Ends a task whose result nobody waits for any more; also while the page is left.
 * @param {string | null} id
 */
export function cancel(id) {
  if (!id) return Promise.resolve();
  return ask(`tasks/${id}/cancel`, { method: "POST", headers: HEADERS, body: "{}", keepalive: true }).catch(() => {});
}

/**
 * @param {string} path
 * @param {BodyInit} body
 */
export const put = (path, body) => ask(path, { method: "PUT", headers: { "x-inkling-studio": "1" }, body });

const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
const TASK_POLL = 700; // ms

/**
 * Follows a task until it is over and returns its result.
 * @param {any} task as a POST answered
 * @param {(task: any) => void} [hear] called with each state of it
 * @returns {Promise<any>} rejects with the task's own message; null if it was cancelled
 */
export async function follow(task, hear = () => {}) {
  let now = task;
  for (;;) {
    hear(now);
    if (now.state === "done") return now.result;
    if (now.state === "cancelled") return null;
    if (now.state === "failed") throw new Refusal(now.message, 422);
    await wait(TASK_POLL);
    try {
      ({ task: now } = await get(`tasks/${now.id}`));
    } catch (problem) {
      if (problem.status) throw problem; // without an answer: the app may be slow, ask again
    }
  }
}

/**
 * Asks again and again, seldom while the tab is hidden; returns a function that asks at once.
 * @param {() => Promise<void>} look
 * @param {number} every ms between two answers
 */
export function poll(look, every) {
  let timer = 0,
    isAsking = false,
    isWanted = false;
  const next = async () => {
    if (isAsking) {
      isWanted = true;
      return;
    }
    clearTimeout(timer);
    isAsking = true;
    await look();
    isAsking = false;
    timer = /** @type {any} */ (setTimeout(next, isWanted ? 0 : document.hidden ? every * 8 : every));
    isWanted = false;
  };
  document.addEventListener("visibilitychange", () => document.hidden || next());
  next();
  return next;
}
