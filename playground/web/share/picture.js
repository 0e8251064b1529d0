// A story as a picture, and the cover of a book, drawn on a canvas with the page's fonts and, for characters that these
// lack, the browser's.

import { subtitle } from "./book.js";
import { surpriseLevel } from "../sampling/odds.js";
import { textOf } from "../story/tree.js";
import { charactersOf, directionOf, linesOf, shortened } from "./text_lines.js";

const SHAPES = { wide: [1200, 630], tall: [1080, 1350] }; // a link's preview, a phone's screen
const CODE = { wide: 220, tall: 330 }; // approximate pixels of the link's QR code
const COVER = [1184, 1680]; // the ratio of A5
// The light colours of style/base.css.
const BACKGROUND = "#f3ecdf",
  PAGE = "#fffdf8",
  TEXT = "#2c2823",
  MUTED = "#655b4e",
  BORDER = "#d9cdb7",
  PERSON = "#294876";
const ODDS = [null, "#fdf3cf", "#fbe3a0", "#f8cd7c", "#f3b06a", "#ec9a6e"];
const MARGIN = 36,
  PADDING = 52,
  LINE_HEIGHT = 1.5, // relative to the font size
  FOOTER = 76;
const SIZES = [40, 38, 36, 34, 32, 30, 28, 26, 24]; // font sizes of the story, of which the largest fitting is used

const serif = (size, weight) => `${weight} ${size}px 'Inkling Serif', serif`;
const sans = (size, weight) => `${weight} ${size}px 'Inkling Sans', sans-serif`;

export async function draw(story, shape, odds) {
  const [width, height] = SHAPES[shape],
    isWide = shape === "wide";
  const on = await page(width, height, MARGIN),
    qr = await import("./qr.js");
  const left = MARGIN + PADDING,
    whole = width - 2 * left,
    bottom = height - MARGIN - 30;
  let beside = 0; // width of the QR code in the corner
  if (qr.fits(story.link)) beside = 16 + qr.draw(on, story.link, width - left + 8, bottom + 8, CODE[shape]);
  const column = whole - (isWide ? beside : 0),
    floor = bottom - Math.max(FOOTER, isWide ? 0 : beside);
  const top = heading(on, story.title, left, MARGIN + 40, column);
  new Words(on, story).write({ left, top, column, height: floor - top }, odds);
  const foot = story.author ? `${story.model} · ${story.settings}` : story.settings;
  small(on, sans(22, 400), foot, left, bottom, whole - beside);
  small(on, sans(22, 600), story.byline, left, bottom - 30, whole - beside);
  return png(on);
}

// Draws stories side by side in a wide picture, each below its name and settings. `columns`: { name, how, tokens }.
export async function drawBeside({ title, foot, columns }, odds) {
  const [width, height] = [1600, 900],
    on = await page(width, height, MARGIN),
    left = MARGIN + PADDING,
    bottom = height - MARGIN - 30;
  const top = heading(on, title, left, MARGIN + 20, width - 2 * left);
  const column = (width - 2 * left - (columns.length - 1) * PADDING) / columns.length;
  columns.forEach(({ name, how, tokens }, k) => {
    const from = left + k * (column + PADDING);
    small(on, sans(24, 600), name, from, top + 32, column);
    small(on, sans(20, 400), how, from, top + 60, column);
    new Words(on, { tokens }).write({ left: from, top: top + 76, column, height: bottom - top - 76 - FOOTER }, odds);
  });
  small(on, sans(22, 400), foot, left, bottom, width - 2 * left);
  return png(on);
}

// Draws a line of small text in a font, cut to the column's width.
function small(on, font, text, left, bottom, column) {
  on.font = font;
  on.fillStyle = MUTED;
  on.direction = "ltr";
  on.textAlign = "left";
  on.fillText(fitted(on, text, column), left, bottom);
}

export async function cover(book) {
  const [width, height] = COVER,
    column = width - 2 * (2 * MARGIN + PADDING);
  const on = await page(width, height, 2 * MARGIN);
  on.textAlign = "center";
  on.fillStyle = TEXT;
  on.font = serif(84, 600);
  on.direction = directionOf(book.title);
  let top = Math.floor(height / 3);
  for (const line of titleLines(on, book.title, column, 6)) {
    on.fillText(line, width / 2, top);
    top += 106;
  }
  on.fillStyle = MUTED;
  on.font = sans(36, 500);
  on.direction = directionOf(book.by);
  on.fillText(fitted(on, book.by, column), width / 2, top);
  on.direction = "ltr";
  on.font = sans(30, 400);
  on.fillText(subtitle(book), width / 2, height - 160);
  return png(on);
}

// Returns a canvas' context with a page drawn on it, `margin` from the edge.
async function page(width, height, margin) {
  await Promise.all([serif(20, 400), serif(20, 600), sans(20, 600)].map((face) => document.fonts.load(face)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const on = canvas.getContext("2d");
  on.fillStyle = BACKGROUND;
  on.fillRect(0, 0, width, height);
  on.beginPath();
  on.roundRect(margin, margin, width - 2 * margin, height - 2 * margin, 10);
  on.fillStyle = PAGE;
  on.fill();
  on.strokeStyle = BORDER;
  on.stroke();
  return on;
}

const png = (on) => new Promise((resolve) => on.canvas.toBlob(resolve, "image/png"));

// Returns a title in at most `most` lines of the current font; the last one ends with an ellipsis if it is cut.
function titleLines(on, title, column, most) {
  const widthOf = (start, end) => on.measureText(title.slice(start, end)).width;
  const lines = linesOf(title, column, widthOf, most + 1).map(([start, end]) => title.slice(start, end));
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), fitted(on, `${lines[most - 1]}…`, column)];
}

// Draws the title in at most two lines; returns the y below it.
function heading(on, title, left, top, column) {
  let lines = [],
    size = 0;
  for (size of [54, 46, 40]) {
    on.font = serif(size, 600);
    lines = titleLines(on, title, column, 2);
    if (lines.length === 1) break;
  }
  on.fillStyle = TEXT;
  on.direction = directionOf(title);
  on.textAlign = "start";
  for (const line of lines) {
    top += Math.round(size * 1.25);
    on.fillText(line, left + (on.direction === "rtl" ? column : 0), top - Math.round(size * 0.25));
  }
  return top + 12;
}

// Draws a story's words; a person's are bolder and blue.
class Words {
  constructor(on, { tokens }) {
    this.on = on;
    this.size = SIZES[0]; // of the font
    const whole = textOf(tokens);
    this.text = whole.trim();
    this.spans = []; // of each token, { from, to, own, level }
    this.styles = []; // the same for stretches of one style, which are drawn in one call so that letters join
    let at = whole.trimStart().length - whole.length;
    for (const { t, s, r } of tokens) {
      const own = r < 0,
        span = { from: Math.max(0, at), to: at + t.length, own, level: own || s === null ? 0 : surpriseLevel(s) };
      at = span.to;
      if (at <= 0) continue;
      this.spans.push(span);
      if (this.styles.at(-1)?.own === own) this.styles.at(-1).to = at;
      else this.styles.push({ ...span });
    }
    if (this.styles.length) this.styles.at(-1).to = Infinity; // includes an ellipsis
  }

  /** @returns {[from: number, to: number, own: boolean][]} the stretches of one style in a range */
  partsOf(start, end) {
    return this.styles
      .filter(({ from, to }) => from < end && to > start)
      .map(({ from, to, own }) => [Math.max(from, start), Math.min(to, end), own]);
  }

  widthOf(start, end) {
    let width = 0;
    for (const [from, to, own] of this.partsOf(start, end)) {
      this.on.font = serif(this.size, own ? 560 : 400);
      width += this.on.measureText(this.text.slice(from, to)).width;
    }
    return width;
  }

  // Returns the lines in the largest font size in which all fit, or in the smallest one, cut after a sentence.
  fitting(column, height) {
    const widthOf = (start, end) => this.widthOf(start, end),
      most = () => Math.floor(height / (this.size * LINE_HEIGHT));
    const layOut = () => linesOf(this.text, column, widthOf, most() + 1);
    let lines = [];
    for (this.size of SIZES) {
      lines = layOut();
      if (lines.length <= most()) return lines;
    }
    const whole = this.text;
    let length = lines.at(-1)[0] + 2;
    while (lines.length > most() && length > 1) {
      this.text = shortened(whole, length);
      lines = layOut();
      length = Math.floor(0.95 * length);
    }
    return lines;
  }

  write({ left, top, column, height }, odds) {
    const { on } = this;
    on.textAlign = "left";
    this.fitting(column, height).forEach(([start, end], k) => {
      const baseline = top + Math.round(this.size * (1.1 + LINE_HEIGHT * k));
      const begins = this.text.lastIndexOf("\n", start - 1) + 1,
        [paragraph] = this.text.slice(begins).split("\n", 1);
      on.direction = directionOf(paragraph);
      // Returns the x of a part that begins `before` pixels after the line's start.
      const x = (before, width) => (on.direction === "rtl" ? left + column - before - width : left + before);
      if (odds)
        this.tint(start, end, (before, width) =>
          on.fillRect(x(before, width), baseline - this.size, width, 1.3 * this.size),
        );
      let before = 0;
      for (const [from, to, own] of this.partsOf(start, end)) {
        const width = this.widthOf(from, to); // sets the font
        on.fillStyle = own ? PERSON : TEXT;
        on.fillText(this.text.slice(from, to), x(before, width), baseline);
        before += width;
      }
    });
  }

  // Colours a line's words by their surprise; the space before a word has no colour.
  tint(start, end, fill) {
    for (const { from, to, level } of this.spans) {
      const last = Math.min(to, end),
        text = this.text.slice(Math.max(from, start), last);
      if (!ODDS[level] || from >= end || to <= start || !text.trim()) continue;
      const before = this.widthOf(start, last - text.trimStart().length);
      this.on.fillStyle = ODDS[level];
      fill(before, this.widthOf(start, last) - before);
    }
  }
}

function fitted(on, text, column) {
  if (on.measureText(text).width <= column) return text;
  const kept = charactersOf(text);
  while (kept.length && on.measureText(`${kept.join("")}…`).width > column) kept.pop();
  return `${kept.join("").trimEnd()}…`;
}
