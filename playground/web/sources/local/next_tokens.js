// What could come next in a story, as page_candidates returns it (engine/next_tokens.py): the likeliest tokens with
// their logits, the model's own and as words to use raise them, and all others in bins.

const TOP_K_MAX = 200, // tokens with logits of their own
  REST_WIDTH = 0.25; // of a bin of logits

// `logits`: (model.unique,); `question`: about the token; `label`: an id's text for people; `tokenId`: of the token that
// stands there, or null.
export function nextTokens(model, logits, question, label, tokenId) {
  const { ids, logits: raised } = model.ranking(logits, question);
  const near = ids.slice(0, TOP_K_MAX),
    rowOf = model.uniqueOf;
  const answer = model.answer(logits, { known: tokenId ?? near[0] });
  return {
    candidates: near.map((id, k) => [id, label(id), logits[rowOf[id]], raised[k]]),
    rest: binsOf(raised.slice(TOP_K_MAX)),
    log_total: answer.logTotal,
    entropy: answer.entropy,
    token: tokenId === null ? null : { token_id: tokenId, probability: answer.probability, rank: answer.rank },
  };
}

// [logit, number of ids] of logits, in bins.
function binsOf(logits) {
  const bins = new Map();
  for (const logit of logits.filter(Number.isFinite)) {
    const bin = Math.floor(logit / REST_WIDTH);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return [...bins].sort(([one], [other]) => one - other).map(([bin, count]) => [(bin + 0.5) * REST_WIDTH, count]);
}
