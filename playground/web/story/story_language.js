// Detects the language of a text from its script and its function words (web/share/languages.json).

const UNDETERMINED = "und";
// Unicode's name of a script, where it differs from the names of the script's letters.
const PROPERTIES = { CJK: "Han", NKO: "Nko" };
const title = (script) => script[0] + script.slice(1).toLowerCase();

// Returns [BCP 47 code, "ltr" or "rtl"].
export function languageOf(text, { scripts, words }) {
  const letters = text.match(/\p{L}/gu) ?? [],
    perScript = new Map();
  for (const name of ["LATIN", ...Object.keys(scripts)]) {
    const script = new RegExp(`\\p{Script=${PROPERTIES[name] ?? title(name)}}`, "u");
    perScript.set(name, letters.filter((letter) => script.test(letter)).length);
  }
  const kana = perScript.get("HIRAGANA") + perScript.get("KATAKANA");
  if (perScript.get("CJK") && kana) {
    // Japanese has Chinese characters too, often more than kana.
    perScript.set("HIRAGANA", kana + perScript.get("CJK"));
    perScript.set("CJK", 0);
  }
  const [script, count] = [...perScript].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0];
  if (!count) return [UNDETERMINED, "ltr"];
  if (script !== "LATIN") return scripts[script];
  const counts = new Map();
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  const scores = Object.entries(words).map(([code, known]) => [
    code,
    [...new Set(known.split(" "))].reduce((sum, word) => sum + (counts.get(word) ?? 0), 0),
  ]);
  const best = Math.max(...scores.map(([, score]) => score)),
    leading = scores.filter(([, score]) => score === best);
  return [leading.length === 1 ? leading[0][0] : UNDETERMINED, "ltr"];
}
