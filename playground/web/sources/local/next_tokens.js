// What could come next in a story, as page_candidates answers (engine/next_tokens.py): the likeliest tokens with
// their logits, and all others in bins.

const TOP_K_MAX = 200,
  REST_WIDTH = 0.25; // the likeliest that are named; of a bin of logits

// `logits`: (model.unique,); `label`: an id's text for people; `tokenId`: of the token that stands there, or null.
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

// [logit, number of ids] of all ids but some, in bins.
function binsOf(uniqueOf, logits, without) {
  const bins = new Map();
  uniqueOf.forEach((row, id) => {
    if (without.has(id) || !Number.isFinite(logits[row])) return;
    const bin = Math.floor(logits[row] / REST_WIDTH);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  });
  return [...bins].sort(([one], [other]) => one - other).map(([bin, count]) => [(bin + 0.5) * REST_WIDTH, count]);
}
