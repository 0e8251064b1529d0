// A story's tokens in paragraphs: a line break ends one, and belongs to it. A token that holds several
// line breaks is in pieces.

// Returns [{ start, text, pieces: [{ k, text }] }]: where the paragraph starts in the story, and its
// pieces, each of token k. The last one is empty after a line break, so that it can be written into.
export function paragraphsOf(tokens) {
  let paragraph = { start: 0, text: "", pieces: [] };
  const found = [paragraph];
  tokens.forEach(({ t }, k) => {
    for (let from = 0, first = true; first || from < t.length; first = false) {
      const end = t.indexOf("\n", from) + 1 || t.length;
      const text = t.slice(from, end);
      paragraph.pieces.push({ k, text });
      paragraph.text += text;
      from = end;
      if (!text.endsWith("\n")) continue;
      paragraph = { start: paragraph.start + paragraph.text.length, text: "", pieces: [] };
      found.push(paragraph);
    }
  });
  return found;
}

// The text of paragraphs that the browser changed by itself: a block is a line, and a line break that
// ends it is the block's own.
export function textOfBlocks(nodes) {
  const lines = [];
  let loose = null; // text that stands in no block
  for (const node of nodes) {
    const isBlock = node.nodeType === 1 && !["SPAN", "BR", "FONT"].includes(node.tagName);
    if (isBlock) loose = null;
    else if (loose !== null) {
      lines[loose] += textOfNode(node);
      continue;
    } else loose = lines.length;
    lines.push(textOfNode(node));
  }
  return lines.map((line) => line.replace(/\n$/, "")).join("\n");
}

function textOfNode(node) {
  if (node.nodeType === 3) return node.data;
  if (node.tagName === "BR") return "\n";
  return [...node.childNodes].map(textOfNode).join("");
}
