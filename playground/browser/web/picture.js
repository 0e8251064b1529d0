// A story as a picture, drawn on a canvas with the page's typefaces: what playground/stories/picture.py
// draws, without the code of the link.

import { surpriseLevel } from "../web/odds.js";

const SHAPES = { wide: [1200, 630], tall: [1080, 1350] }; // a link's preview, a phone's screen
// The colours of web/style.css by day.
const DESK = "#f3ecdf", PAPER = "#fffdf8", INK = "#2c2823", FAINT = "#655b4e", LINE = "#d9cdb7", OWN = "#294876";
const ODDS = [null, "#fdf3cf", "#fbe3a0", "#f8cd7c", "#f3b06a", "#ec9a6e"];
const MARGIN = 36, PADDING = 52, LEADING = 1.5, FOOT = 76;
const SIZES = [40, 38, 36, 34, 32, 30, 28, 26, 24]; // of the story's letters, the largest that fits
const SENTENCE_END = /[.!?…]["'”’)]*(?=\s)/g;

export async function draw(story, shape, odds) {
  const [width, height] = SHAPES[shape];
  await Promise.all(["400 20px 'Inkling Serif'", "600 20px 'Inkling Serif'", "600 20px 'Inkling Sans'"].map((font) => document.fonts.load(font)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const on = canvas.getContext("2d");
  on.fillStyle = DESK;
  on.fillRect(0, 0, width, height);
  on.beginPath();
  on.roundRect(MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN, 10);
  on.fillStyle = PAPER;
  on.fill();
  on.strokeStyle = LINE;
  on.stroke();
  const left = MARGIN + PADDING, column = width - 2 * left, bottom = height - MARGIN - 30;
  const top = heading(on, story.title, left, MARGIN + 40, column);
  write(on, story, { left, top, column, height: bottom - FOOT - top }, odds);
  const foot = [story.author ? `${story.model} · ${story.settings}` : story.settings, story.byline];
  foot.forEach((line, k) => {
    on.font = `${k ? 600 : 400} 22px 'Inkling Sans'`;
    on.fillStyle = FAINT;
    on.fillText(fitted(on, line, column), left, bottom - 30 * k);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

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
          const piece = { ...part, text: text.slice(0, count), x };
          piece.width = widthOf(piece);
          lines.at(-1).push(piece);
          x += piece.width;
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
