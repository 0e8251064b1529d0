// In which language a text is, as far as its letters and its small words show it: as
// playground/stories/language.py finds it, from the same table (web/share/languages.json).

const UNDETERMINED = "und";
// Unicode's name of a script where it is not the one with which its letters' names begin.
const PROPERTIES = { CJK: "Han", NKO: "Nko" };
const title = (script) => script[0] + script.slice(1).toLowerCase();

// [code as BCP 47 names it, "ltr" or "rtl"]
export function languageOf(text, { scripts, words }) {
  const letters = text.match(/\p{L}/gu) ?? [],
    found = new Map();
  for (const name of ["LATIN", ...Object.keys(scripts)]) {
    const script = new RegExp(`\\p{Script=${PROPERTIES[name] ?? title(name)}}`, "u");
    found.set(name, letters.filter((letter) => script.test(letter)).length);
  }
  const kana = found.get("HIRAGANA") + found.get("KATAKANA");
  if (found.get("CJK") && kana) {
    // Japanese has Chinese letters too, and they are often more
    found.set("HIRAGANA", kana + found.get("CJK"));
    found.set("CJK", 0);
  }
  const [script, count] = [...found].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0];
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
