// Retries of requests to a busy server: after a status 429 the page waits for as long as "retry-after" says. A whole
// class behind one address exceeds the server's limit only for a short time.

const TRIES = 60,
  DEFAULT_WAIT = 2, // seconds
  MAX_WAIT = 60;

export class Busy extends Error {
  constructor(message, seconds = DEFAULT_WAIT) {
    super(message);
    this.seconds = Math.min(Math.max(seconds, 0), MAX_WAIT);
  }
}

// Throws Busy for a response with the status 429.
export async function checkBusy(response) {
  if (response.status !== 429) return;
  const { detail = "" } = await response.json().catch(() => ({}));
  const after = response.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  throw new Busy(detail, Number.isFinite(seconds) ? seconds : DEFAULT_WAIT);
}

/**
 * Returns the result of `ask`, called again while it throws Busy. `onWait` is called with the seconds of each wait, and
 * with 0 afterwards.
 * @param {() => Promise<any>} ask
 * @param {{ onWait?: (seconds: number) => void, signal?: AbortSignal, pause?: typeof wait }} how
 */
export async function withRetries(ask, { onWait = () => {}, signal, pause = wait } = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await ask();
      if (tries > 1) onWait(0);
      return answer;
    } catch (problem) {
      if (!(problem instanceof Busy) || tries >= TRIES) throw problem;
      onWait(Math.max(1, Math.ceil(problem.seconds)));
      await pause(1000 * (problem.seconds + Math.random()), signal); // jitter: not all clients at once
      signal?.throwIfAborted();
    }
  }
}

/** @returns {Promise<void>} */
const wait = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
