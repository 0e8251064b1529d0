"""Describe a model for the page: values for its scripts, and rows of (name, value, meaning)."""

from typing import Any

from playground.folder.model_folder import ModelInfo


def described(
    facts: ModelInfo, fingerprint: str, tokenizer: str, context: int, streams: int
) -> dict[str, Any]:
    """Return the facts of a model with which the page starts (web/editor/writer.js)."""
    return {
        "name": facts.name,
        "fingerprint": fingerprint,
        "tokenizer": tokenizer[:16],  # of its fingerprint
        "context": context,
        "stories": facts.stories,  # in its training data
        "facts": rows(facts, context, streams),
        "history": facts.history,  # [tokens seen, loss, story] of each stage
    }


def rounded(number: int) -> str:
    """Return a number in words: "19.2 million" for 19,234,048."""
    for size, name in ((10**9, " billion"), (10**6, " million")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + name
    return f"{number:,}"


def stories(number: int) -> str:
    """Return the number of parallel stories in words."""
    return f"{number} stories at once" if number > 1 else "one story at a time"


def rows(facts: ModelInfo, context: int, streams: int) -> list[list[str]]:
    """Return rows of (name, value, meaning): the model's facts, and the capacity on this machine,
    `context` tokens for each of `streams` stories."""
    table = [["Name", facts.name, ""], ["Size", f"{rounded(facts.parameters)} parameters", ""]]
    if facts.corpus:
        amount = [f"{rounded(facts.stories)} stories"] if facts.stories else []
        amount += [f"{rounded(facts.corpus_tokens)} tokens"] if facts.corpus_tokens else []
        table.append(["Learned from", facts.corpus, ", ".join(amount)])
    if facts.tokens_seen:
        table.append(["Has read", f"{rounded(facts.tokens_seen)} tokens", ""])
    meaning = "it no longer sees older words"
    if context < facts.context:
        meaning = f"as many as fit in the memory here, of its {facts.context:,}; {meaning}"
    table.append(["Sees", f"{context:,} tokens at a time", meaning])
    table.append(["Writes", stories(streams), ""])
    if not facts.ends:
        meaning = "it names no token that ends a story: each runs to its length"
        table.append(["Ends", "never by itself", meaning])
    if facts.perplexity is not None:
        meaning = "tokens it wavers between, on average, in stories it never saw"
        table.append(["Perplexity", f"{facts.perplexity:.2f}", meaning])
    if facts.bits_per_byte is not None:
        table.append(
            ["Bits per byte", f"{facts.bits_per_byte:.3f}", "the same, whatever the tokenizer"]
        )
    if facts.license:
        table.append(["License", facts.license, ""])
    return table
