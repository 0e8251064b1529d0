// Opens a packed model (pack.py): the core's model file, followed by the page's own data.

import { Model } from "../../sampling/core.js";
import { Storyteller } from "./storyteller.js";
import { Tokenizer } from "./tokenizer.js";

// Returns the storyteller of a packed model in the memory of a core, with `slots` stories in its cache. Throws an Error
// "damaged" for a wrong or truncated file, and a RangeError if memory does not suffice.
export function opened(core, content, slots) {
  const model = new Model(core, content, slots);
  const { page, data } = behind(content.subarray(model.size));
  const { tokenizer } = page;
  const table = { ...tokenizer, merges: idsAt(data, tokenizer.merges), made: idsAt(data, tokenizer.made) };
  return new Storyteller(model, new Tokenizer(table, model.ids), page, slots);
}

// Returns the JSON after a model file, and the ids after that.
function behind(bytes) {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const page = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const data = bytes.subarray(4 + length);
    if (data.length === page.bytes) return { page, data };
  } catch {
    /* thrown below */
  }
  throw new Error("damaged");
}

// Returns a copy of ids in the data.
function idsAt(data, { offset, count, size }) {
  const { buffer } = data.slice(offset, offset + count * size);
  return size === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}
