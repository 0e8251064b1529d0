// Stories of every kind (stories.json) as the page has them, for tests in Node and in Chromium: each a title, an
// author, and a text in tokens of a few letters.

const USUAL = { temperature: 0.8, top_k: 40, top_p: 1, min_p: 0, repetition_penalty: 1 };

// `text`: the story, or { repeat, text }.
export function tokensOf(text) {
  const whole = typeof text === "string" ? text : text.text.repeat(text.repeat);
  return (whole.match(/\s?[^\s]{1,4}|\s/gu) ?? []).map((t, i) => ({ t, s: (i % 6) * 1.4, i, r: i < 2 ? -1 : 0 }));
}

// `sharedStory`: of shared_story.js.
export const storiesOf = (rows, sharedStory, link = "https://example.org/?story=x") =>
  rows.map(([title, author, text]) =>
    sharedStory(
      {
        tokens: tokensOf(text),
        runs: [{ settings: USUAL, seed: 7, begins: "", beyond: false }],
        model: "tiny",
        fingerprint: "0123",
      },
      { title, author, link },
    ),
  );

// What a source says of a story's tokens (`tokens`: of tokensOf).
export const recordOf = (tokens) => ({
  ended: false,
  tokens: tokens.map(({ t, i, r }) => ({
    token_id: i,
    text: t,
    draw: r < 0 ? null : 0.5,
    probability: 0.25,
    chosen_probability: r < 0 ? 1 : 0.3,
    rank: 1,
    entropy: 2,
    alternatives: [
      { token_id: i + 1, text: " other", probability: 0.5 },
      { token_id: i, text: t, probability: 0.25 },
    ],
  })),
});
