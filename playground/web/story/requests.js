// What is asked of a source of words, and how its messages become tokens.

import { idsOf, openingLength } from "./tree.js";

/**
 * The request for text after the tokens `before`; `values`: the text after them, or the token that was chosen.
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
 * Adds the new tokens of a message to the streams, which are a person's (run -1) until their reader knows better.
 * @param {Token[][]} streams
 * @param {Message} message
 */
export function append(streams, message) {
  for (const [stream, texts, surprises, ids] of message.new ?? [])
    texts.forEach((t, k) => streams[stream].push({ t, s: surprises[k], i: ids[k], r: -1 }));
}
