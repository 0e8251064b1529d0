// Requests to a source of words, and the tokens of its messages.

import { idsOf, openingLength } from "./tree.js";

/**
 * Returns the request for text after the tokens `before`. `values`: the typed text after them, or the chosen token.
 * @param {Token[]} before
 * @param {Partial<WriteRequest> & Pick<WriteRequest, "model" | "settings" | "seeds">} values
 * @returns {WriteRequest}
 */
export const requestOf = (before, values) => ({
  ids: idsOf(before),
  text: "",
  token_id: null,
  opening: openingLength(before),
  beyond_end: false,
  ...values,
});

/**
 * Appends the new tokens of a message to the streams, as a person's (run -1) until the caller sets their run.
 * @param {Token[][]} streams
 * @param {Message} message
 */
export function append(streams, message) {
  for (const [stream, texts, surprises, ids] of message.new ?? [])
    texts.forEach((t, k) => streams[stream].push({ t, s: surprises[k], i: ids[k], r: -1 }));
}
