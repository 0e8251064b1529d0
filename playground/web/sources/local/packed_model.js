// A packed model (pack.py): the core's model file, and behind it what the page knows besides.

import { Model } from "../../sampling/core.js";
import { Storyteller } from "./storyteller.js";
import { Tokenizer } from "./tokenizer.js";

// The storyteller of a packed model in the memory of a core, with `slots` stories in its cache. Throws an Error
// "damaged" for a file that is cut off or another one, and a RangeError where memory is short.
export function opened(core, content, slots) {
  const model = new Model(core, content, slots);
  const { page, data } = behind(content.subarray(model.size));
  const { tokenizer } = page;
  const table = { ...tokenizer, merges: idsAt(data, tokenizer.merges), made: idsAt(data, tokenizer.made) };
  return new Storyteller(model, new Tokenizer(table, model.ids), page, slots);
}

// The JSON behind a model file, and the ids behind that.
function behind(bytes) {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const page = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const data = bytes.subarray(4 + length);
    if (data.length === page.bytes) return { page, data };
  } catch {
    /* it is said below */
  }
  throw new Error("damaged");
}

// A copy of ids that lie in the data.
function idsAt(data, { offset, count, size }) {
  const { buffer } = data.slice(offset, offset + count * size);
  return size === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}
