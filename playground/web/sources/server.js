// The source of words on a page with a server: its calls (server/page_calls.py).
// Another page may give the component another object with the same methods.

import { Calls, Refused } from "./calls.js";
import { Busy, checkBusy, withRetries } from "./retry.js";

class Lost extends Error {}

/** @implements {Source} */
export class Server extends Calls {
  // `root`: address of the Gradio app, with a slash at the end.
  constructor(root) {
    super("page_");
    this.root = root;
    this.isServer = true;
    /** @type {Source["onWait"]} */
    this.onWait = () => {};
  }

  // Yields the messages of an endpoint. Leaving the loop or `signal` ends the call. A busy server answers so before its
  // first message.
  async *call(name, request, signal) {
    let messages = null;
    const first = await withRetries(
      () => {
        messages = this.attempt(name, request, signal);
        return messages.next();
      },
      { onWait: this.onWait, signal },
    );
    try {
      for (let next = first; !next.done; next = await messages.next()) yield next.value;
    } finally {
      await messages.return();
    }
  }

  async *attempt(name, request, signal) {
    const stop = new AbortController();
    signal?.addEventListener("abort", () => stop.abort());
    try {
      const answer = await this.fetch(`${this.root}call/${name}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request),
        signal: stop.signal,
      });
      for await (const [event, data] of events(answer.body)) {
        if (event === "error") throw data.title === "Busy" ? new Busy(data.error) : new Refused(data.error);
        if (event === "complete") return;
        yield data;
      }
      throw new Lost();
    } catch (problem) {
      if (stop.signal.aborted || problem instanceof Refused || problem instanceof Busy) throw problem;
      throw new Lost();
    } finally {
      stop.abort();
    }
  }

  async fetch(address, options) {
    const response = await fetch(address, options);
    if (response.ok) return response;
    await checkBusy(response);
    if (response.status === 503 || response.status === 422) {
      throw new Refused((await response.json().catch(() => ({}))).detail ?? "");
    }
    throw new Lost();
  }

  // Tabs share a browser's few connections, so a server with many tabs ends a call with `more`: the rest is requested
  // in another call, as if somebody had pressed Continue.
  async *write(request, signal) {
    const received = []; // ids of the only stream
    let current = request,
      typed = 0;
    while (current) {
      let rest = null;
      for await (const message of this.call("page_write", current, signal)) {
        for (const [stream, , , ids] of message.new) if (stream === 0) received.push(...ids);
        if (current === request) typed = message.typed ?? typed;
        if (message.more) rest = restOf(request, received, typed);
        else if (current === request) yield message;
        else yield { new: message.new, ended: message.ended, typed };
      }
      current = rest;
    }
  }
}

// Returns the request for the rest after the received tokens, the first `typed` of which a person wrote.
function restOf(request, received, typed) {
  const { ids, settings, opening } = request;
  return {
    ...request,
    ids: [...ids, ...received],
    text: "",
    begins_with: "",
    token_id: null,
    beyond_end: false,
    written: received.length - typed,
    opening: opening >= 0 ? opening : ids.length + typed,
    settings: { ...settings, length: settings.length - (received.length - typed) },
  };
}

// Yields [event, data] of a stream of server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/s.exec(block) ?? [];
      if (event) yield [event, JSON.parse(data)];
    }
  }
}
