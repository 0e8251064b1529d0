// The name of a story's file, which every system takes.

const LETTERS_MAX = 60;
// Devices of Windows, whatever stands behind the first dot.
const RESERVED = /^(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])$/i;

// A title as the name of a file, without its ending: letters, marks and numbers of any script, small, with hyphens
// between words; "story" if the title has none of them.
export function fileName(title) {
  const kept = title
    .toLowerCase()
    .normalize("NFC")
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  const name = shortened([...kept]) || "story";
  return RESERVED.test(name) ? `${name}-story` : name;
}

// At most LETTERS_MAX letters, without a last one that has lost its marks.
function shortened(letters) {
  let end = Math.min(letters.length, LETTERS_MAX);
  while (end && /\p{M}/u.test(letters[end] ?? "")) end -= 1;
  return letters.slice(0, end).join("").replace(/-+$/, "");
}
