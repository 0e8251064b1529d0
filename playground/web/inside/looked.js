// What the server told about the choice of one token (playground/inside/inside.py), and how it is shown: numbers and
// levels, without a page.

export const EVERY = -1; // in place of a layer or a head: the mean of all

// From which share of its attention on a token has each level of colour.
export const ATTENTION = [0.02, 0.05, 0.1, 0.2, 0.5];
// From which change of the log-probability on, in nats.
export const CHANGES = [0.05, 0.2, 0.5, 1, 2];

// How many of the bounds a number reaches: 0 to 5.
export function level(value, bounds) {
  return bounds.filter((least) => value >= least).length;
}

export class Looked {
  constructor() {
    this.look = null;
    this.changes = new Map(); // of the chosen token's log-probability, by the position of the removed token
    this.seconds = null; // that all took, at the end
  }

  // One message of the server.
  hear({ look, removed = [], seconds = null }) {
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

  // How much a layer's head looked at each token, by its position (-1: the token before the story).
  weights(layer, head) {
    const chosen = (rows, k) => (k === EVERY ? rows : [rows[Math.min(k, rows.length - 1)]]);
    const rows = chosen(this.look.attention, layer).flatMap((heads) => chosen(heads, head));
    const sums = rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
    return new Map(sums.map((weight, k) => [k + this.look.first, weight]));
  }

  // The removed tokens that mattered most, [position, change] with the largest change first, either way.
  mattered(count) {
    const all = [...this.changes].filter(([, change]) => level(Math.abs(change), CHANGES));
    return all.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one)).slice(0, count);
  }
}

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// By how many times a token was likelier or less likely: "2.3" for a change of 0.83 nats, or of -0.83.
export function times(change, language) {
  const factor = Math.exp(Math.abs(change));
  if (factor < 1e6)
    return factor.toLocaleString(language, { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
  const power = String(Math.round(Math.abs(change) / Math.LN10));
  return `10${[...power].map((digit) => SUPERSCRIPT[Number(digit)]).join("")}`;
}
