// The source of words on a page without a server: a worker that computes them.

import { Calls, Refused } from "../calls.js";

const SLOTS = 10; // of the KV cache: eight stories at once, one for candidates, one to return to

/** @implements {Source} */
export class WorkerSource extends Calls {
  // `model`: { weights, bytes, checksum }; `onStatus`: called with the worker's messages about loading.
  constructor(model, onStatus) {
    super();
    this.model = model;
    this.isServer = false;
    this.onStatus = onStatus;
    this.calls = new Map();
    this.count = 0;
    this.open();
  }

  open() {
    this.worker?.terminate();
    /** @type {Promise<void>} */
    this.ready = new Promise((resolve, reject) => {
      this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.worker.onmessage = ({ data }) => {
        if (data.call) this.calls.get(data.call)?.(data);
        else {
          if (data.ready) resolve();
          if (data.failed) reject(new Refused(data.failed));
          this.onStatus(data);
        }
      };
      this.worker.onerror = () => {
        reject(new Refused("worker"));
        this.onStatus({ failed: "worker" });
        for (const hear of this.calls.values()) hear({ refused: "" });
      };
    });
    this.ready.catch(() => {}); // reported by `onStatus`, and to every caller that waits
    const weights = new URL(this.model.weights, document.baseURI).href;
    this.worker.postMessage({ open: { ...this.model, weights, slots: SLOTS } });
  }

  // Yields the messages of a call. Leaving the loop or `signal` ends it.
  async *call(name, request, signal) {
    await this.ready;
    const call = (this.count += 1),
      received = [];
    let wake = (_) => {};
    this.calls.set(call, (data) => {
      received.push(data);
      wake(null);
    });
    signal?.addEventListener("abort", () => wake(null));
    this.worker.postMessage({ call, name, request });
    try {
      for (;;) {
        if (signal?.aborted) return;
        const data = received.shift();
        if (!data) await new Promise((resolve) => (wake = resolve));
        else if (data.refused !== undefined) throw new Refused(data.refused);
        else if (data.done) return;
        else yield data.message;
      }
    } finally {
      this.calls.delete(call);
      this.worker.postMessage({ stop: call });
    }
  }

  write(request, signal) {
    return this.call("write", request, signal);
  }
}
