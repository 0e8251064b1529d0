// What the sources of words have in common: calls that are answered by one message.

// The message says why there is no answer.
export class Refused extends Error {}

// A source has `call(name, request, signal)`, which yields the messages of a call.
export class Calls {
  // `prefix`: before each call's name.
  constructor(prefix = "") {
    this.prefix = prefix;
  }

  async once(name, request, signal) {
    for await (const message of /** @type {any} */ (this).call(name, request, signal)) return message;
    return null;
  }

  score(request, signal) {
    return this.once(`${this.prefix}score`, request, signal);
  }

  // Returns the record of a story's tokens; `parts`: those that a model wrote (server/page_calls.py).
  record(request, signal) {
    return this.once(`${this.prefix}record`, request, signal);
  }

  candidates(request, signal) {
    return this.once(`${this.prefix}candidates`, request, signal);
  }
}
