// The core (playground/core) in WebAssembly: the choice of a token, and a model's forward pass. It runs on a
// page, in a worker and under Node.
//
// Structs lie in its memory as core.h says. A pointer of a question takes 8 bytes there and 4 here. Memory may
// grow at any call, which detaches its buffer, so no view of it is kept.

import { SETTINGS } from "./settings_table.js";

export const COLUMNS = 8; // tokens of a step, at most
const HEADER = 128,
  QUESTION = 200,
  ANSWER = 168,
  HEAD = 32; // bytes of the structs
const ALIGN = 64,
  PAGE = 65_536;
const NUMBERS = 16,
  DRAW = 8 * NUMBERS,
  WHOLE = DRAW + 8,
  ADDRESSES = WHOLE + 32; // of a question: settings, and offsets
const LISTS = ["seen", "banned", "begins", "continues"]; // of ids
const KNOWN = SETTINGS.filter(({ kind, link }) => link && link < NUMBERS && (kind === "float" || kind === "int"));
// What changes no distribution.
const NEUTRAL = { temperature: 1 };
// A module with one SIMD instruction: whether this browser can run the core.
const SIMD = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

const up = (number) => Math.ceil(number / ALIGN) * ALIGN;

export class Core {
  // The core.wasm beside this module. Throws an Error "simd" where the browser has no WebAssembly SIMD, "network"
  // where the file does not come.
  static async load() {
    if (!globalThis.WebAssembly?.validate(SIMD)) throw new Error("simd");
    let code;
    try {
      const answer = await fetch(new URL("core.wasm", import.meta.url));
      if (!answer.ok) throw new Error(String(answer.status));
      code = await answer.arrayBuffer();
    } catch {
      throw new Error("network");
    }
    return Core.open(code);
  }

  // `code`: the bytes of core.wasm.
  static async open(code) {
    const { instance } = await WebAssembly.instantiate(code, {});
    return new Core(instance.exports);
  }

  constructor(wasm) {
    this.wasm = wasm;
    this.floor = up(wasm.__heap_base.value); // what lies above belongs to the call that is running
  }

  get buffer() {
    return this.wasm.memory.buffer;
  }

  grow(end) {
    const missing = Math.ceil((end - this.buffer.byteLength) / PAGE);
    if (missing > 0) this.wasm.memory.grow(missing);
  }

  // The uniform number in [0, 1) of token `position` of a story.
  uniform(seed, position) {
    return this.wasm.choice_uniform(seed, position);
  }

  // What settings make of a distribution, as choice_odds() of core.h: { odds, rest }. `rest`: [logit, count] of
  // the ids beyond `logits`, in bins.
  odds(settings, logits, rest) {
    const call = new Call(this);
    const question = call.questions([{ settings }]);
    const at = call.put(Float64Array.from(logits));
    const [restLogits, restCounts] = [0, 1].map((k) => call.put(Float64Array.from(rest, (bin) => bin[k])));
    const found = call.room(8 * logits.length);
    const sum = this.wasm.choice_odds(question, logits.length, at, rest.length, restLogits, restCounts, found);
    return { odds: [...new Float64Array(this.buffer, found, logits.length)], rest: sum };
  }
}

// What one call of the core reads and writes, one behind the other from the core's floor on.
class Call {
  constructor(core) {
    this.core = core;
    this.at = core.floor;
  }

  // The address of so many bytes.
  room(bytes) {
    const { at } = this;
    this.at = up(at + bytes);
    this.core.grow(this.at);
    return at;
  }

  // The address of a copy of a typed array.
  put(values) {
    const at = this.room(values.byteLength);
    new values.constructor(this.core.buffer, at, values.length).set(values);
    return at;
  }

  columns(columns) {
    return this.put(Int32Array.from(columns.flat()));
  }

  // `settings`: as the page has them; `draw`: in [0, 1); `known`: the id that a person typed; `alternatives`: how
  // many of the likeliest are wanted; `seen`: ids that the penalty is for; `banned`: ids that must not be chosen;
  // `begins`: ids that begin a word to use, `continues`: others, that continue one; `written`: tokens in one go.
  questions(questions) {
    const at = this.room(QUESTION * questions.length);
    questions.forEach((question, k) => {
      const { settings = NEUTRAL, draw = 0, known = -1, alternatives = 0, written = 0 } = question;
      const lists = LISTS.map((name) => question[name] ?? []);
      const addresses = lists.map((ids) => (ids.length ? this.put(Int32Array.from(ids)) : 0));
      const view = new DataView(this.core.buffer, at + QUESTION * k, QUESTION);
      for (const { name, link, neutral } of KNOWN) view.setFloat64(8 * link, settings[name] ?? neutral ?? 0, true);
      view.setFloat64(DRAW, draw, true);
      [known, alternatives, ...lists.map((ids) => ids.length), written, 0].forEach((value, n) =>
        view.setInt32(WHOLE + 4 * n, value, true),
      );
      addresses.forEach((address, n) => view.setBigUint64(ADDRESSES + 8 * n, BigInt(address), true));
    });
    return at;
  }

  // The answers at an address, with core.h's fields; `alternatives`: [id, probability] of each.
  answers(at, count) {
    return Array.from({ length: count }, (_, k) => {
      const view = new DataView(this.core.buffer, at + ANSWER * k, ANSWER);
      const whole = (offset) => view.getInt32(offset, true),
        real = (offset) => view.getFloat64(offset, true);
      return {
        id: whole(0),
        rank: whole(4),
        probability: real(8),
        chosen: real(16),
        logTotal: real(24),
        entropy: real(32),
        alternatives: Array.from({ length: whole(40) }, (_, n) => [whole(48 + 4 * n), real(88 + 8 * n)]),
      };
    });
  }
}

// A model in a core's memory. A column is [id, slot, position], a question as in Call.questions().
export class Model {
  // `content`: a model file (core/pack.py), of which the core keeps a copy; `slots`: stories that the cache holds.
  // Throws an Error "damaged" for a file that is not a model, and a RangeError where memory is short.
  constructor(core, content, slots) {
    const { wasm } = core,
      { size, context } = numbersOf(content);
    const file = core.floor,
      memory = up(file + size);
    core.grow(memory);
    new Uint8Array(core.buffer).set(content.subarray(0, size), file);
    if (wasm.core_check(file, size)) throw new Error("damaged");
    const room = wasm.core_room(file, slots, context, 1) >>> 0,
      head = up(memory + room);
    if (!room) throw new RangeError("memory");
    const used = Math.min(core.buffer.byteLength, head);
    new Uint8Array(core.buffer).fill(0, memory, used); // what is grown is zero
    core.grow(head + HEAD);
    this.core = core;
    this.size = size;
    this.context = context;
    this.at = wasm.core_open(file, memory, slots, context, 1);
    this.head = head;
    wasm.core_head(this.at, head);
    core.floor = up(head + HEAD);
    const view = new DataView(core.buffer, head, HEAD);
    this.ids = view.getInt32(0, true);
    this.unique = view.getInt32(4, true); // rows of logits
    this.uniqueAt = Number(view.getBigUint64(8, true));
  }

  // The row of logits of each id.
  get uniqueOf() {
    return this.uniqueAt
      ? new Int32Array(this.core.buffer, this.uniqueAt, this.ids)
      : Int32Array.from({ length: this.ids }, (_, id) => id);
  }

  // Feeds up to COLUMNS columns; the answers to the questions of those that have one, null for the others.
  step(columns, questions) {
    const call = new Call(this.core),
      asked = questions.filter(Boolean);
    const at = call.columns(numbered(columns, questions)),
      questionsAt = call.questions(asked);
    const answersAt = call.room(ANSWER * asked.length);
    this.core.wasm.core_step(this.at, columns.length, at, asked.length, questionsAt, answersAt);
    const answers = call.answers(answersAt, asked.length);
    return questions.map((question) => (question ? answers.shift() : null));
  }

  // Feeds up to COLUMNS columns; the logits (unique,) after each.
  logits(columns) {
    const call = new Call(this.core),
      { unique } = this;
    const at = call.columns(numbered(columns, columns)),
      found = call.room(4 * unique * columns.length);
    this.core.wasm.core_logits(this.at, columns.length, at, columns.length, found);
    return columns.map((_, k) => new Float32Array(this.core.buffer, found + 4 * unique * k, unique).slice());
  }

  // The answer to a question about logits.
  answer(logits, question) {
    const call = new Call(this.core),
      { wasm } = this.core;
    const logitsAt = call.put(logits),
      at = call.questions([question]),
      answer = call.room(ANSWER);
    wasm.choice_answer(this.head, logitsAt, at, answer, call.room(wasm.choice_room(this.ids, this.unique)));
    return call.answers(answer, 1)[0];
  }

  // All ids that a question about logits does not ban, from the likeliest down, and their logits as it changes them.
  ranking(logits, question) {
    const call = new Call(this.core),
      { wasm } = this.core;
    const logitsAt = call.put(logits),
      at = call.questions([question]),
      ids = call.room(4 * this.ids + 4),
      found = call.room(8 * this.ids),
      room = call.room(wasm.choice_room(this.ids, this.unique));
    const count = wasm.choice_ranking(this.head, logitsAt, at, ids, found, room);
    return {
      ids: [...new Int32Array(this.core.buffer, ids, count)],
      logits: [...new Float64Array(this.core.buffer, found, count)],
    };
  }

  // Lets slot `to` read its first positions where `from` has them, which must have them itself and keep them.
  borrow(from, to, positions) {
    this.core.wasm.core_borrow(this.at, from, to, positions);
  }

  // Gives a slot its own copy of what it borrowed.
  own(slot) {
    this.core.wasm.core_own(this.at, slot);
  }
}

// Columns with the index of their question, -1 for none.
function numbered(columns, questions) {
  let count = 0;
  return columns.map((column, k) => [...column, questions[k] ? count++ : -1]);
}

// The size of a model file's own part, and how many tokens the model sees.
function numbersOf(content) {
  if (content.length < HEADER) throw new Error("damaged");
  const view = new DataView(content.buffer, content.byteOffset, HEADER);
  const size = view.getUint32(8, true),
    context = view.getInt32(44, true);
  if (size > content.length) throw new Error("damaged");
  return { size, context };
}
