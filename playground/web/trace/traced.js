// How a traced story is shown: the parts of its text that are in the same runs, and how strongly each is marked.
// Without a page.

const PER_WORD = 2.4; // rarity per word of a filter's runs, whose rarity is not known
const LEVELS = [0, 28, 36]; // rarity from which on a mark is stronger

// How strongly a run is marked, 1 to 3, by its length and rarity: about a third each of the runs in held-out stories.
export function level({ rarity, words }) {
  const strength = rarity ?? PER_WORD * words;
  return LEVELS.filter((least) => strength >= least).length;
}

// The parts of a text from one start or end of a run to the next: { text, runs }, with the numbers of the runs that
// cover it, the strongest first.
export function parts({ text, runs }) {
  const bounds = [...new Set([0, text.length, ...runs.flatMap(({ start, end }) => [start, end])])].sort(
    (a, b) => a - b,
  );
  return bounds.slice(1).map((end, k) => ({
    text: text.slice(bounds[k], end),
    runs: strongest(runs).filter((run) => runs[run].start <= bounds[k] && end <= runs[run].end),
  }));
}

// The numbers of runs, the strongest first.
export function strongest(runs) {
  const strength = ({ rarity, words }) => rarity ?? words;
  return runs.map((_, k) => k).sort((a, b) => strength(runs[b]) - strength(runs[a]));
}
