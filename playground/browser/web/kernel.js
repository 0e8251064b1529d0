// A packed model (pack.py) and the WebAssembly that computes it (kernel.c).

export const COLUMNS = 4; // tokens of a step, at most
const MAGIC = "INKLING1", PAGE = 65_536, ALIGN = 64, WORD = 4;

const up = (number, to) => Math.ceil(number / to) * to;

// The header of model.bin and the data behind it. Throws an Error for a file that is cut off or none.
export function unpacked(content) {
  const bytes = new Uint8Array(content);
  const text = (from, to) => new TextDecoder().decode(bytes.subarray(from, to));
  if (bytes.length < 12 || text(0, MAGIC.length) !== MAGIC) throw new Error("damaged");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  let header;
  try {
    header = JSON.parse(text(12, 12 + length));
  } catch {
    throw new Error("damaged");
  }
  const data = bytes.subarray(12 + length);
  if (data.length !== header.bytes) throw new Error("damaged");
  return { header, data };
}

// Ids that lie in the data.
export function idsAt(data, { offset, count, size }) {
  const copy = data.slice(offset, offset + count * size).buffer;
  return size === 2 ? new Uint16Array(copy) : new Uint32Array(copy);
}

export class Kernel {
  // `code`: the bytes of kernel.wasm; `slots`: stories that the cache holds.
  static async open(code, { header, data }, slots) {
    const { instance } = await WebAssembly.instantiate(code, {});
    return new Kernel(instance.exports, header, data, slots);
  }

  constructor(wasm, header, data, slots) {
    this.wasm = wasm;
    const base = up(wasm.__heap_base.value, ALIGN), layersAt = base + data.length;
    const end = layersAt + WORD * header.layers.length;
    this.grow(end);
    new Uint8Array(wasm.memory.buffer).set(data, base);
    this.write(layersAt, header.layers, base, {});
    this.write(wasm.model(), header.words, base, { slots, layers: layersAt });
    this.grow(wasm.setup(up(end, ALIGN))); // it says how much memory it takes, and writes none
    this.unique = idsAt(data, header.unique_of).reduce((most, id) => Math.max(most, id), 0) + 1;
    this.room = up(this.unique, 4);
  }

  grow(end) {
    const missing = Math.ceil((end - this.wasm.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.wasm.memory.grow(missing);
  }

  write(at, words, base, known) {
    const view = new DataView(this.wasm.memory.buffer);
    words.forEach(([kind, value], k) => {
      if (kind === "f") view.setFloat32(at + WORD * k, value, true);
      else if (kind === "p") view.setInt32(at + WORD * k, value < 0 ? 0 : base + value, true);
      else view.setInt32(at + WORD * k, known[kind] ?? Number(value), true);
    });
  }

  // Feeds up to four [row of the table, slot, position]; those of one slot have rising positions.
  feed(columns) {
    new Int32Array(this.wasm.memory.buffer, this.wasm.columns(), 3 * columns.length).set(columns.flat());
    this.wasm.step(columns.length);
  }

  // Lets slot `to` read its first positions where `from` has them, which must have them itself and keep them.
  borrow(from, to, positions) {
    this.wasm.borrow(from, to, positions);
  }

  // Gives a slot its own copy of what it borrowed.
  own(slot) {
    this.wasm.own(slot);
  }

  // The logits of the columns that were fed from `first` on, an array of the head's rows for each.
  logits(first, count) {
    this.wasm.logits(first, count);
    const at = this.wasm.logits_at();
    return Array.from({ length: count }, (_, k) =>
      new Float32Array(this.wasm.memory.buffer, at + WORD * k * this.room, this.unique));
  }

  // Of column k of `logits`, divided by a temperature, over all ids: { peak, total, spread }, the largest
  // logit itself, the sum of exp(x - peak), and of that times its exponent.
  sums(k, temperature = 1) {
    this.wasm.sums(k, 1 / temperature);
    const [peak, total, spread] = new Float64Array(this.wasm.memory.buffer, this.wasm.answer(), 3);
    return { peak, total, spread };
  }
}
