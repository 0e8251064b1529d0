// The app's JSON endpoints for Train and Models, below studio/ (playground/runs).

const HEADERS = { "content-type": "application/json", "x-inkling-studio": "1" };

/** An error of the app: its message, or an empty one if it did not answer. */
class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0 without an answer
   * @param {string} [remedy] action of a button: "anyway"
   */
  constructor(message, status, remedy = "") {
    super(message);
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
  let response, content;
  try {
    response = await fetch(`studio/${path}`, { cache: "no-store", ...options });
    content = await response.json();
  } catch {
    throw new Refusal("", response?.status ?? 0);
  }
  if (!response.ok) throw new Refusal(String(content.detail ?? ""), response.status, content.remedy);
  return content;
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
 * Cancels a task whose result is not needed any more, also while the page closes.
 * @param {string | null} id
 */
function cancel(id) {
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
 * Follows a task until it ends and returns its result.
 * @param {any} task in the answer to a POST
 * @param {(task: any) => void} [onProgress] called with each state of the task
 * @returns {Promise<any>} rejects with the task's own message; null if it was cancelled
 */
export async function follow(task, onProgress = () => {}) {
  let now = task;
  for (;;) {
    onProgress(now);
    if (now.state === "done") return now.result;
    if (now.state === "cancelled") return null;
    if (now.state === "failed") throw new Refusal(now.message, 422);
    await wait(TASK_POLL);
    try {
      ({ task: now } = await get(`tasks/${now.id}`));
    } catch (problem) {
      if (problem.status) throw problem; // without a response the app may be slow: try again
    }
  }
}

/** The newest question about a draft that changes: it ends the ones before it, whose answers are dropped. */
export class Latest {
  /**
   * @param {string} path of the POST that starts a task
   * @param {number} delay in ms, after the last change
   */
  constructor(path, delay) {
    this.path = path;
    this.delay = delay;
    this.turn = 0;
    this.task = null;
    addEventListener("pagehide", () => this.stop());
  }

  /** Cancels a running or scheduled question; resolves when the app knows it. */
  stop() {
    clearTimeout(this.timer);
    this.turn += 1;
    const { task } = this;
    this.task = null;
    return cancel(task);
  }

  /**
   * Asks after the delay; of the callbacks, none is called when another question has followed.
   * @param {object} values
   * @param {{ hear: (result: any) => void, fail: (problem: any) => void, onProgress?: (task: any) => void }} callbacks
   *   `hear`: with null if the app has cancelled the task
   */
  ask(values, { hear, fail, onProgress = () => {} }) {
    this.stop();
    const { turn } = this,
      isLatest = () => turn === this.turn;
    const run = async () => {
      try {
        const { task } = await post(this.path, values);
        if (!isLatest()) {
          cancel(task.id);
          return;
        }
        this.task = task.id;
        const result = await follow(task, (now) => isLatest() && onProgress(now));
        if (!isLatest()) return;
        this.task = null;
        hear(result);
      } catch (problem) {
        if (!isLatest()) return;
        this.task = null;
        fail(problem);
      }
    };
    this.timer = setTimeout(run, this.delay);
  }
}

/**
 * Polls, less often while the tab is hidden; returns a function that polls at once.
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
