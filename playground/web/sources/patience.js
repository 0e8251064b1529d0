// A server that is busy says after how many seconds it may be asked again ("429" with "retry-after"): the page
// waits and asks again, for a whole class behind one address is not too much for it for long.

const TRIES = 60,
  USUAL = 2,
  LONGEST = 60; // seconds

export class Busy extends Error {
  constructor(message, seconds = USUAL) {
    super(message);
    this.seconds = Math.min(Math.max(seconds, 0), LONGEST);
  }
}

// Throws Busy for an answer that says so.
export async function checkBusy(answer) {
  if (answer.status !== 429) return;
  const { detail = "" } = await answer.json().catch(() => ({}));
  const said = answer.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  throw new Busy(detail, Number.isFinite(seconds) ? seconds : USUAL);
}

/**
 * What `ask` answers, asked again while it throws Busy. `onWait` hears for how many seconds, and 0 when it is over.
 * @param {() => Promise<any>} ask
 * @param {{ onWait?: (seconds: number) => void, signal?: AbortSignal, pause?: typeof wait }} how
 */
export async function patiently(ask, { onWait = () => {}, signal, pause = wait } = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await ask();
      if (tries > 1) onWait(0);
      return answer;
    } catch (problem) {
      if (!(problem instanceof Busy) || tries >= TRIES) throw problem;
      onWait(Math.max(1, Math.ceil(problem.seconds)));
      await pause(1000 * (problem.seconds + Math.random()), signal); // not all pupils at once
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
