// Encodes a story in a link and decodes it (docs/permalink.md), with the same bits as playground/stories/permalink.py.
//
// A value is { model, tokenizer, name, runs: [{ settings, seed, begins, beyond }], tokens: [[id, run], ...],
// branches: [{ leaves, shared, name, tokens }, ...] }; run -1 is a person. `tokenizer`: the first digits of its
// fingerprint, "" in a link of version 1 or 2. `begins`: the typed start of the run's first word. A branch shares its
// first tokens with the branch `leaves`: 0 is the story itself, k its k-th branch.

import { SETTINGS } from "../sampling/settings_table.js";
import { stretchesOf } from "./tree.js";

// The version by what the runs need, and whether the story has branches. Versions 1 and 2 name no tokenizer, and their
// `begins` is one space or nothing. Versions 5 and 6 have later settings.
const VERSIONS = [
  [1, 2],
  [3, 4],
  [5, 6],
];
const PLAIN = 0,
  NAMED = 1,
  LATER = 2;
const TOKENIZER_DIGITS = 4,
  UNKNOWN = "0000"; // hexadecimal, of the tokenizer's fingerprint
const CLASSES = [
  [1, 5],
  [2, 8],
  [3, 11],
]; // of common tokens: bits of the prefix, bits of the rank
const RARE_BITS = 20; // of the id of any other token
const NAME_MAX = 63,
  RUNS_MAX = 500,
  TOKENS_MAX = 10_000;
const BRANCHES_MAX = 200,
  SPREAD_MAX = 50_000; // branches; tokens of all branches, shared ones repeated
const TEXT_MAX = 60_000; // characters; longer links are refused before they are decoded
const CANDIDATES_MAX = 4_000; // parts of a pasted text that are tried as a link
const BY_NUMBER = new Map(SETTINGS.map((row) => [row.link, row]));
const ALWAYS = [1, 2, 3, 4, 5, 6, 7],
  WORDS = 8,
  FIRST_LATER = 9; // numbers of settings: before and after a run's flags
const SETTINGS_MAX = 1_000; // the highest number of a setting

export class Damaged extends Error {}
export class Newer extends Error {}

// A story that does not fit into a link: `what` exceeds its limit ("tokens", "runs", "branches", "spread", "letters",
// or "id" of a token), its count and its limit.
export class TooLong extends Error {
  constructor(what, count, most) {
    super(`${count} ${what} of at most ${most}`);
    this.what = what;
    this.count = count;
    this.most = most;
  }
}

const check = (what, count, most) => {
  if (count > most) throw new TooLong(what, count, most);
};

// Returns whether the tokenizer with that fingerprint has the link's ids, or may have them if the link names none.
export const hasTokenizer = ({ tokenizer }, fingerprint = "") =>
  tokenizer === UNKNOWN || fingerprint.startsWith(tokenizer);

// Returns the link's text; throws TooLong.
export function encode({ model, tokenizer = "", name, runs, tokens, branches = [] }, common) {
  const lengths = [tokens.length, ...branches.map((branch) => branch.shared + branch.tokens.length)];
  check("tokens", Math.max(...lengths), TOKENS_MAX);
  check("runs", runs.length, RUNS_MAX);
  check("branches", branches.length, BRANCHES_MAX);
  const spread = lengths.reduce((sum, length) => sum + length, 0);
  check("spread", spread, SPREAD_MAX);
  const bits = new Writer(common);
  const kind = kindOf(tokenizer, runs);
  bits.add(VERSIONS[kind][Number(branches.length > 0)], 4);
  bits.digits(model, 16);
  if (kind !== PLAIN) bits.digits(tokenizer, TOKENIZER_DIGITS);
  bits.text(short(name), 6);
  bits.number(runs.length);
  for (const run of runs) addRun(bits, run, kind);
  bits.tokens(tokens);
  if (branches.length) {
    bits.number(branches.length);
    for (const branch of branches) {
      bits.number(branch.leaves);
      bits.number(branch.shared);
      bits.text(short(branch.name), 6);
      bits.tokens(branch.tokens);
    }
  }
  const data = bits.bytes();
  const sum = crc32(data);
  const whole = [...data, sum >>> 24, (sum >>> 16) & 255, (sum >>> 8) & 255, sum & 255];
  const binary = whole.map((byte) => String.fromCharCode(byte)).join("");
  const text = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  check("letters", text.length, TEXT_MAX);
  return text;
}

export function decode(text, common) {
  const data = dataOf(text);
  if (!data) throw new Damaged();
  const bits = new Reader(data, common);
  const version = bits.take(4);
  const kind = VERSIONS.findIndex((both) => both.includes(version));
  if (kind < 0) throw new Newer();
  const model = bits.digits(16),
    tokenizer = kind === PLAIN ? "" : bits.digits(TOKENIZER_DIGITS);
  const name = bits.text(6);
  const runs = Array.from({ length: bits.number(RUNS_MAX) }, () => readRun(bits, kind));
  const tokens = bits.tokens(runs.length);
  const branches = version === VERSIONS[kind][1] ? readBranches(bits, runs.length, tokens.length) : [];
  bits.end();
  return { model, tokenizer, name, runs, tokens, branches };
}

// Returns the bytes of a link's text without their checksum; null if the checksum is wrong.
function dataOf(text) {
  if (text.length > TEXT_MAX || !/^[\w-]+$/.test(text) || text.length % 4 === 1) return null;
  const whole = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  if (whole.length < 5) return null;
  const data = whole.subarray(0, -4);
  const [a, b, c, d] = whole.subarray(-4);
  return crc32(data) === ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 ? data : null;
}

// Returns the branches of a story that has `length` tokens.
function readBranches(bits, runs, length) {
  const branches = [],
    lengths = [length];
  let spread = length;
  for (let left = bits.number(BRANCHES_MAX); left > 0; left -= 1) {
    const leaves = bits.number(branches.length);
    const shared = bits.number(lengths[leaves]);
    branches.push({ leaves, shared, name: bits.text(6), tokens: bits.tokens(runs) });
    lengths.push(shared + branches.at(-1).tokens.length);
    spread += lengths.at(-1);
    if (lengths.at(-1) > TOKENS_MAX || spread > SPREAD_MAX) throw new Damaged();
  }
  if (!branches.length) throw new Damaged();
  return branches;
}

// Returns the link's text in a pasted text: an address (/s/TEXT, ?story=TEXT) or TEXT itself, inside or broken by the
// markup of chats and mails. The checksum tells which part is the link; if none is valid, return the first candidate,
// which `decode` refuses.
export function textIn(pasted) {
  let first = null,
    count = 0;
  for (const text of candidates(pasted.slice(0, 4 * TEXT_MAX))) {
    if (dataOf(text)) return text;
    first ??= text;
    count += 1;
    if (count >= CANDIDATES_MAX) break;
  }
  return first ?? "";
}

const LINE_BREAK = /=?[ \t]*[\r\n]+[\s>]*/y; // with the quotation marks of mails
const BASE64 = /[\w-]*/y;

// Yields the possible texts of a link, the most likely first.
function* candidates(pasted) {
  const versions = new Set([pasted, unescaped(pasted), unescaped(unescaped(pasted))]); // mail filters escape addresses
  for (const start of [/\/s\/|[?&]story=/g, /(?<![\w-])(?=[\w-]{8})/g]) {
    // the shortest link has 8 characters
    for (const version of versions) {
      for (const found of version.matchAll(start)) {
        let text = "",
          at = found.index + found[0].length;
        while (text.length <= TEXT_MAX) {
          const part = matchAt(BASE64, version, at);
          text += part;
          yield text;
          if (/[_-]$/.test(text)) yield text.replace(/[_-]+$/, ""); // _link_ in Markdown
          at += part.length;
          const lineBreak = matchAt(LINE_BREAK, version, at);
          if (!lineBreak) break;
          at += lineBreak.length;
        }
      }
    }
  }
}

function matchAt(expression, text, at) {
  expression.lastIndex = at;
  return expression.exec(text)?.[0] ?? "";
}

const unescaped = (text) =>
  text.replace(/%[0-7][0-9a-f]/gi, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));

// Returns the kind of a link's runs: the first index of VERSIONS.
function kindOf(tokenizer, runs) {
  if (runs.some(({ settings }) => laterSettings(settings).length)) return LATER;
  return tokenizer !== "" || runs.some(({ begins = "" }) => begins !== "" && begins !== " ") ? NAMED : PLAIN;
}

// Returns the rows of later settings whose value is not neutral; a missing value is neutral. The form of words to use
// says nothing without words.
const laterSettings = ({ words_form: form, ...settings }) => {
  const values = settings.words_to_use?.length ? { ...settings, words_form: form } : settings;
  return SETTINGS.filter(({ name, kind, link, neutral }) => {
    const value = values[name] ?? neutral;
    return link >= FIRST_LATER && (kind === "words" ? value.length > 0 : value !== neutral);
  });
};

function addRun(bits, { settings, seed, begins = "", beyond }, kind) {
  const values = { ...settings, seed };
  for (const number of ALWAYS) bits.setting(BY_NUMBER.get(number), values);
  if (kind === PLAIN) bits.flag(begins === " ");
  bits.flag(beyond);
  if (kind !== PLAIN) bits.text(begins);
  bits.setting(BY_NUMBER.get(WORDS), values);
  if (kind !== LATER) return;
  const rows = laterSettings(settings);
  bits.number(rows.length);
  for (const row of rows) {
    bits.number(row.link);
    bits.setting(row, values);
  }
}

function readRun(bits, kind) {
  const settings = {};
  const read = (row) => (settings[row.name] = bits.setting(row));
  for (const number of ALWAYS) read(BY_NUMBER.get(number));
  let begins = kind === PLAIN && bits.take(1) === 1 ? " " : "";
  const beyond = bits.take(1) === 1;
  if (kind !== PLAIN) begins = bits.text();
  read(BY_NUMBER.get(WORDS));
  for (const row of SETTINGS) if (row.link >= FIRST_LATER) settings[row.name] = structuredClone(row.neutral);
  for (let left = kind === LATER ? bits.number(SETTINGS_MAX) : 0; left > 0; left -= 1) {
    const row = BY_NUMBER.get(bits.number(SETTINGS_MAX));
    if (!row || row.link < FIRST_LATER) throw new Newer();
    read(row);
  }
  const { seed, ...others } = settings;
  return { settings: others, seed, begins, beyond };
}

// Returns at most NAME_MAX bytes of a name, cut between characters.
const short = (name) => name.slice(0, new TextEncoder().encodeInto(name, new Uint8Array(NAME_MAX)).read);

class Writer {
  constructor(common) {
    this.bits = [];
    this.ranks = new Map(common.map((id, rank) => [id, rank]));
  }

  add(value, count) {
    this.bits.push(value.toString(2).padStart(count, "0"));
  }

  flag(value) {
    this.add(value ? 1 : 0, 1);
  }

  // Appends the first `count` hexadecimal digits of a text, padded with zeros.
  digits(text, count) {
    for (const digit of text.slice(0, count).padEnd(count, "0")) this.add(parseInt(digit, 16), 4);
  }

  number(value) {
    let rest = value;
    for (; rest > 15; rest = Math.floor(rest / 16)) this.add(16 | (rest & 15), 5);
    this.add(rest, 5);
  }

  text(text, count = 0) {
    const data = new TextEncoder().encode(text);
    if (count) this.add(data.length, count);
    else this.number(data.length);
    for (const byte of data) this.add(byte, 8);
  }

  // Appends the value of a setting: a float in thousandths, a seed in 32 bits, a flag in 1.
  setting({ name, kind, high }, values) {
    const value = values[name];
    if (kind === "float") this.number(Math.round(value * 1000));
    else if (kind === "int" && high < 2 ** 16) this.number(value);
    else if (kind === "int") this.add(value, 32);
    else if (kind === "bool") this.flag(value);
    else {
      this.number(value.length);
      for (const word of value) this.text(word);
    }
  }

  // Appends the writer and length of each stretch, then the ids.
  tokens(tokens) {
    const stretches = stretchesOf(tokens.map(([, r]) => ({ r })));
    this.number(stretches.length);
    for (const { run, from, to } of stretches) {
      this.number(run + 1);
      this.number(to - from);
    }
    for (const [id] of tokens) this.token(id, this.ranks.get(id));
  }

  token(id, rank) {
    let first = 0;
    for (const [prefix, width] of CLASSES) {
      if (rank !== undefined && rank - first < 2 ** width) {
        this.add(2 ** prefix - 2, prefix);
        this.add(rank - first, width);
        return;
      }
      first += 2 ** width;
    }
    check("id", id, 2 ** RARE_BITS - 1);
    this.add(7, 3);
    this.add(id, RARE_BITS);
  }

  bytes() {
    const text = this.bits.join("");
    const byte = (k) => parseInt(text.slice(8 * k, 8 * k + 8).padEnd(8, "0"), 2);
    return Uint8Array.from({ length: Math.ceil(text.length / 8) }, (_, k) => byte(k));
  }
}

class Reader {
  constructor(data, common) {
    this.common = common;
    this.bits = Array.from(data, (byte) => byte.toString(2).padStart(8, "0")).join("");
    this.at = 0;
  }

  take(count) {
    const found = this.bits.slice(this.at, this.at + count);
    this.at += count;
    if (found.length < count) throw new Damaged();
    return count ? parseInt(found, 2) : 0;
  }

  digits(count) {
    return Array.from({ length: count }, () => this.take(4).toString(16)).join("");
  }

  number(most) {
    let value = 0,
      scale = 1,
      group;
    do {
      group = this.take(5);
      value += (group & 15) * scale;
      scale *= 16;
      if (scale > 16 ** 9) throw new Damaged();
    } while (group > 15);
    if (value > most || (scale > 16 && group === 0)) throw new Damaged();
    return value;
  }

  text(count = 0) {
    const length = count ? this.take(count) : this.number(400);
    const data = Uint8Array.from({ length }, () => this.take(8));
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch {
      throw new Damaged();
    }
  }

  // Reads the value of a setting, as Writer.setting writes it.
  setting({ kind, low, high }) {
    if (kind === "bool") return this.take(1) === 1;
    if (kind === "words") {
      const words = Array.from({ length: this.number(100) }, () => this.text());
      if (!words.every((word) => word.trim() && word.length <= 100)) throw new Damaged();
      return words;
    }
    const value =
      kind === "float"
        ? this.number(Math.round(high * 1000)) / 1000
        : high < 2 ** 16
          ? this.number(high)
          : this.take(32);
    if (value < low) throw new Damaged();
    return value;
  }

  tokens(runs) {
    const owners = [];
    for (let left = this.number(TOKENS_MAX); left > 0; left -= 1) {
      const run = this.number(runs) - 1,
        count = this.number(TOKENS_MAX);
      if (!count || owners.length + count > TOKENS_MAX) throw new Damaged();
      for (let k = 0; k < count; k += 1) owners.push(run);
    }
    return owners.map((run) => [this.token(), run]);
  }

  token() {
    let first = 0;
    for (const [, width] of CLASSES) {
      if (!this.take(1)) return this.common[first + this.take(width)];
      first += 2 ** width;
    }
    return this.take(RARE_BITS);
  }

  end() {
    const rest = this.bits.slice(this.at);
    if (rest.length > 7 || rest.includes("1")) throw new Damaged();
  }
}

export function crc32(data) {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let k = 0; k < 8; k += 1) sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
  }
  return ~sum >>> 0;
}
