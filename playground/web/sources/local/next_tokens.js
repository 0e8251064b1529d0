// The distribution of the next token, as page_candidates returns it (engine/next_tokens.py): the most likely tokens
// with their logits, and all others in bins.

const TOP_K_MAX = 200, // tokens with logits of their own
  REST_WIDTH = 0.25; // of a bin of logits

// `logits`: (model.unique,); `label`: returns an id's text for people; `tokenId`: of the actual token, or null.
export function nextTokens(model, logits, label, tokenId) {
  const near = model.likeliest(logits, TOP_K_MAX);
  const answer = model.answer(logits, { known: tokenId ?? near.ids[0] });
  return {
    candidates: near.ids.map((id, k) => [id, label(id), near.logits[k]]),
    rest: binsOf(model.uniqueOf, logits, new Set(near.ids)),
    log_total: answer.logTotal,
    entropy: answer.entropy,
    token: tokenId === null ? null : { token_id: tokenId, probability: answer.probability, rank: answer.rank },
  };
}

// Returns [logit, number of ids] of each bin of all ids that are not in `without`.
function binsOf(uniqueOf, logits, without) {
  const bins = new Map();
  uniqueOf.forEach((row, id) => {
    if (without.has(id) || !Number.isFinite(logits[row])) return;
    const bin = Math.floor(logits[row] / REST_WIDTH);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  });
  return [...bins].sort(([one], [other]) => one - other).map(([bin, count]) => [(bin + 0.5) * REST_WIDTH, count]);
}
