// A story as a picture, and the cover of its e-book, drawn on a canvas with the page's typefaces: what
// playground/stories/picture.py draws.

import * as qr from "./qr.js";
import { surpriseLevel } from "../web/odds.js";

const SHAPES = { wide: [1200, 630], tall: [1080, 1350] }; // a link's preview, a phone's screen
const CODE = { wide: 220, tall: 330 }; // pixels of the link's code, about
const COVER = [1184, 1680]; // as A5
// The colours of web/style.css by day.
const DESK = "#f3ecdf", PAPER = "#fffdf8", INK = "#2c2823", FAINT = "#655b4e", LINE = "#d9cdb7", OWN = "#294876";
const ODDS = [null, "#fdf3cf", "#fbe3a0", "#f8cd7c", "#f3b06a", "#ec9a6e"];
const MARGIN = 36, PADDING = 52, LEADING = 1.5, FOOT = 76;
const SIZES = [40, 38, 36, 34, 32, 30, 28, 26, 24]; // of the story's letters, the largest that fits
const SENTENCE_END = /[.!?…]["'”’)]*(?=\s)/g;

export async function draw(story, shape, odds) {
  const [width, height] = SHAPES[shape], isWide = shape === "wide";
  const on = await paper(width, height, MARGIN);
  const left = MARGIN + PADDING, whole = width - 2 * left, bottom = height - MARGIN - 30;
  let beside = 0; // the code takes the corner from the text
  if (qr.fits(story.link)) beside = 16 + qr.draw(on, story.link, width - left + 8, bottom + 8, CODE[shape]);
  const column = whole - (isWide ? beside : 0), floor = bottom - Math.max(FOOT, isWide ? 0 : beside);
  const top = heading(on, story.title, left, MARGIN + 40, column);
  write(on, story, { left, top, column, height: floor - top }, odds);
  const foot = [story.author ? `${story.model} · ${story.settings}` : story.settings, story.byline];
  foot.forEach((line, k) => {
    on.font = `${k ? 600 : 400} 22px 'Inkling Sans'`;
    on.fillStyle = FAINT;
    on.fillText(fitted(on, line, whole - beside), left, bottom - 30 * k);
  });
  return png(on);
}

export async function cover(story) {
  const [width, height] = COVER, column = width - 2 * (2 * MARGIN + PADDING);
  const on = await paper(width, height, 2 * MARGIN);
  on.textAlign = "center";
  on.fillStyle = INK;
  let top = Math.floor(height / 3);
  for (const line of wrapped(on, [{ text: story.title, own: false }], column, 84, 600).slice(0, 6)) {
    on.font = "600 84px 'Inkling Serif'";
    on.fillText(line.map((part) => part.text).join(""), width / 2, top);
    top += 106;
  }
  on.fillStyle = FAINT;
  on.font = "500 36px 'Inkling Sans'";
  on.fillText(fitted(on, story.author || story.model, column), width / 2, top);
  on.font = "400 30px 'Inkling Sans'";
  on.fillText("A story told with a small language model", width / 2, height - 160);
  return png(on);
}

// A canvas with a sheet of paper on it, `margin` from the edge.
async function paper(width, height, margin) {
  const faces = ["400 20px 'Inkling Serif'", "600 20px 'Inkling Serif'", "600 20px 'Inkling Sans'"];
  await Promise.all(faces.map((face) => document.fonts.load(face)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const on = canvas.getContext("2d");
  on.fillStyle = DESK;
  on.fillRect(0, 0, width, height);
  on.beginPath();
  on.roundRect(margin, margin, width - 2 * margin, height - 2 * margin, 10);
  on.fillStyle = PAPER;
  on.fill();
  on.strokeStyle = LINE;
  on.stroke();
  return on;
}

const png = (on) => new Promise((resolve) => on.canvas.toBlob(resolve, "image/png"));

// The title, in at most two lines; the y below it.
function heading(on, title, left, top, column) {
  let lines = [], size = 0;
  for (size of [54, 46, 40]) {
    on.font = `600 ${size}px 'Inkling Serif'`;
    lines = wrapped(on, [{ text: title, own: false }], column, size, 600);
    if (lines.length === 1) break;
  }
  on.fillStyle = INK;
  lines.slice(0, 2).forEach((line, k) => {
    const text = line.map((part) => part.text).join("");
    top += Math.round(size * 1.25);
    on.font = `600 ${size}px 'Inkling Serif'`;
    on.fillText(k && lines.length > 2 ? fitted(on, `${text}…`, column) : text, left, top - Math.round(size * 0.25));
  });
  return top + 12;
}

const font = (size, own, weight) => `${weight ?? (own ? 560 : 400)} ${size}px 'Inkling Serif'`;

function write(on, story, { left, top, column, height }, odds) {
  const words = story.tokens.map(({ t, s, r }) => ({ text: t, own: r < 0, level: r < 0 || s === null ? 0 : surpriseLevel(s) }));
  const [lines, size] = fitting(on, words, column, height);
  lines.forEach((line, k) => {
    const baseline = top + Math.round(size * (1.1 + LEADING * k));
    for (const { text, own, level, x, width } of line) {
      on.font = font(size, own);
      if (odds && ODDS[level] && text.trim()) {
        const space = on.measureText(text.slice(0, text.length - text.trimStart().length)).width;
        on.fillStyle = ODDS[level];
        on.fillRect(left + x + space, baseline - size, width - space, 1.3 * size);
      }
    }
    for (const { text, own, x } of line) {
      on.font = font(size, own);
      on.fillStyle = own ? OWN : INK;
      on.fillText(text, left + x, baseline);
    }
  });
}

// The lines in the largest letters in which all fit; or in the smallest, cut at a sentence.
function fitting(on, words, column, height) {
  let lines = [];
  for (const size of SIZES) {
    lines = wrapped(on, words, column, size);
    if (lines.length <= Math.floor(height / (size * LEADING))) return [lines, size];
  }
  const size = SIZES.at(-1), most = Math.floor(height / (size * LEADING));
  const text = words.map((word) => word.text).join("");
  let length = text.length;
  while (lines.length > most && length > 1) {
    length = Math.floor(0.95 * length);
    lines = wrapped(on, cut(words, shortened(text, length)), column, size);
  }
  return [lines, size];
}

// A text of at most `most` letters, cut behind a sentence where that leaves half of it, else behind a word.
function shortened(text, most) {
  const ends = [...`${text.slice(0, most - 1)} `.matchAll(SENTENCE_END)].map((match) => match.index + match[0].length);
  if (ends.length && ends.at(-1) >= most / 2) return `${text.slice(0, ends.at(-1))}\u00a0…`;
  return `${text.slice(0, most - 1).replace(/\s\S*$/, "")}…`;
}

// The words of a text that begins as they do, with what it ends in instead.
function cut(words, text) {
  const found = [];
  let at = 0;
  for (const word of words) {
    const part = text.slice(at, at + word.text.length);
    if (part !== word.text) return [...found, { ...word, text: text.slice(at) }];
    found.push(word);
    at += part.length;
  }
  return found;
}

// Lines of at most `column` pixels. What has no space between it stays together.
function wrapped(on, words, column, size, weight) {
  const lines = [[]];
  let x = 0;
  const widthOf = ({ text, own }) => {
    on.font = font(size, own, weight);
    return on.measureText(text).width;
  };
  const newLine = () => {
    lines.push([]);
    x = 0;
  };
  for (const unit of units(words)) {
    if (unit[0].text === "\n") {
      newLine();
      continue;
    }
    if (x && x + unit.reduce((sum, part) => sum + widthOf(part), 0) > column) newLine();
    for (const part of unit) {
      for (const letters of part === unit[0] && !x ? [part.text.trimStart()] : [part.text]) {
        let text = letters;
        while (text) {
          let count = text.length; // a word wider than a line is broken
          while (count > 1 && x + widthOf({ ...part, text: text.slice(0, count) }) > column) count -= 1;
          const span = { ...part, text: text.slice(0, count), x };
          span.width = widthOf(span);
          lines.at(-1).push(span);
          x += span.width;
          text = text.slice(count);
          if (text) newLine();
        }
      }
    }
  }
  return lines.filter((line, k) => line.length || k < lines.length - 1);
}

// What must stand in one line: tokens up to the next that begins with a space; line ends by themselves.
function* units(words) {
  let unit = [];
  for (const word of words) {
    for (const text of word.text.match(/\n| *[^ \n]+| +/g) ?? []) {
      if ((text[0] === " " || text === "\n") && unit.length) {
        yield unit;
        unit = [];
      }
      unit.push({ ...word, text });
      if (text === "\n") {
        yield unit;
        unit = [];
      }
    }
  }
  if (unit.length) yield unit;
}

function fitted(on, text, column) {
  if (on.measureText(text).width <= column) return text;
  let count = text.length;
  while (count && on.measureText(`${text.slice(0, count)}…`).width > column) count -= 1;
  return `${text.slice(0, count).trimEnd()}…`;
}
