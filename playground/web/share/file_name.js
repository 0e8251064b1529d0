// The name of a story's file, valid on every system.

const CHARACTERS_MAX = 60;
// Device names of Windows, with any extension.
const RESERVED = /^(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])$/i;

// Returns a title as a file name without extension: letters, marks and numbers of any script in lower case, with
// hyphens between words; "story" if the title has none.
export function fileName(title) {
  const kept = title
    .toLowerCase()
    .normalize("NFC")
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  const name = shortened([...kept]) || "story";
  return RESERVED.test(name) ? `${name}-story` : name;
}

// Returns at most CHARACTERS_MAX characters, without a last letter that would lose its marks.
function shortened(characters) {
  let end = Math.min(characters.length, CHARACTERS_MAX);
  while (end && /\p{M}/u.test(characters[end] ?? "")) end -= 1;
  return characters.slice(0, end).join("").replace(/-+$/, "");
}
