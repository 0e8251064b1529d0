// The server's analysis of the choice of one token (playground/inside/inside.py), and the levels of its colours.

export const EVERY = -1; // in place of a layer or a head: the mean of all

// The least attention to a token for each level of colour.
export const ATTENTION = [0.02, 0.05, 0.1, 0.2, 0.5];
// The least change of the log-probability for each level, in nats.
export const CHANGES = [0.05, 0.2, 0.5, 1, 2];

// Returns how many of the bounds a number reaches: 0 to 5.
export function level(value, bounds) {
  return bounds.filter((least) => value >= least).length;
}

export class Analysis {
  constructor() {
    this.look = null;
    this.changes = new Map(); // of the chosen token's log-probability, by the position of the deleted token
    this.seconds = null; // of the whole computation, at its end
  }

  // Adds a message of the server.
  add({ look, removed = [], seconds = null }) {
    if (look) this.look = look;
    for (const [position, change] of removed) this.changes.set(position, change);
    this.seconds = seconds;
  }

  get layers() {
    return this.look.attention.length;
  }

  get heads() {
    return this.look.attention[0].length;
  }

  // Returns the attention of a layer's head by position (-1: the token before the story).
  weights(layer, head) {
    const chosen = (rows, k) => (k === EVERY ? rows : [rows[Math.min(k, rows.length - 1)]]);
    const rows = chosen(this.look.attention, layer).flatMap((heads) => chosen(heads, head));
    const sums = rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
    return new Map(sums.map((weight, k) => [k + this.look.first, weight]));
  }

  // Returns the most important tokens, [position, change], the largest change first, positive or negative.
  mattered(count) {
    const all = [...this.changes].filter(([, change]) => level(Math.abs(change), CHANGES));
    return all.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, count);
  }
}

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Returns the factor by which a token became more or less likely: "2.3" for a change of 0.83 or -0.83 nats.
export function times(change, language) {
  const factor = Math.exp(Math.abs(change));
  if (factor < 1e6)
    return factor.toLocaleString(language, { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
  const power = String(Math.round(Math.abs(change) / Math.LN10));
  return `10${[...power].map((digit) => SUPERSCRIPT[Number(digit)]).join("")}`;
}
