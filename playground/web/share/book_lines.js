// Reads a list of links for a book: one per line, optionally followed by the author's name.

const AROUND =
  /^[\s<>()[\]{}"'`*_.,;:|\u00ab\u00bb\u2018-\u201f\u2013\u2014-]+|[\s<>()[\]{}"'`*_,;:|\u00ab\u00bb\u2018-\u201f\u2013\u2014-]+$/g;

// Returns { good: [{ link, title, author }], bad: [{ number, line, why, values }] } of a text. `read`: a function of
// Sharing.reader. A link that a mail broke into lines is joined.
export function linesOf(text, read) {
  const lines = text.split("\n"),
    good = [],
    bad = [];
  for (let k = 0; k < lines.length; k += 1) {
    if (!lines[k].trim()) continue;
    let result = read(lines[k]),
      end = k;
    for (let n = k + 1; result.why === "link_damaged" && n < lines.length && lines[n].trim(); n += 1) {
      if (read(lines[n]).text) break; // a link of its own
      const joined = read(lines.slice(k, n + 1).join("\n"));
      if (joined.why !== "link_damaged") [result, end] = [joined, n];
    }
    const line = lines.slice(k, end + 1).join("\n");
    if (result.text) good.push({ link: result.text, title: "", author: authorIn(line, result.text) });
    else bad.push({ number: k + 1, line, ...result });
    k = end;
  }
  return { good, bad };
}

// Returns the text after the link in a line.
function authorIn(line, link) {
  const last = link.slice(-8),
    at = line.lastIndexOf(last);
  const [, behind = ""] = /^\S*\s+([\s\S]*)$/.exec(line.slice(Math.max(0, at) + last.length)) ?? [];
  return behind.replace(/\s+/g, " ").replace(AROUND, "");
}
