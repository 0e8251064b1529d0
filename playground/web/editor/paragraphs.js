// Splits a story's tokens into paragraphs: a line break belongs to the paragraph that it ends. A token with several
// line breaks is split into pieces.

// Returns [{ start, text, pieces: [{ k, text }] }]: the paragraph's offset in the story, and its pieces, each of token
// k. After a final line break the last paragraph is empty, so that it can be written into.
export function paragraphsOf(tokens) {
  let paragraph = { start: 0, text: "", pieces: [] };
  const paragraphs = [paragraph];
  tokens.forEach(({ t }, k) => {
    for (let from = 0, first = true; first || from < t.length; first = false) {
      const end = t.indexOf("\n", from) + 1 || t.length;
      const text = t.slice(from, end);
      paragraph.pieces.push({ k, text });
      paragraph.text += text;
      from = end;
      if (!text.endsWith("\n")) continue;
      paragraph = { start: paragraph.start + paragraph.text.length, text: "", pieces: [] };
      paragraphs.push(paragraph);
    }
  });
  return paragraphs;
}

// Returns the text of blocks that the browser has changed: a block is a line, and a line break at its end belongs to
// it.
export function textOfBlocks(nodes) {
  const lines = [];
  let loose = null; // line of text outside blocks
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
