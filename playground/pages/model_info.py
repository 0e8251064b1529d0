"""What is known of a model, in words for a page: rows of (name, value, what it means)."""

from playground.model.folder import ModelInfo


def rounded(number: int) -> str:
    """19,234,048 -> '19.2 million'."""
    for size, name in ((10**9, " billion"), (10**6, " million")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + name
    return f"{number:,}"


def rows(facts: ModelInfo) -> list[list[str]]:
    """Rows of (name, value, what it means) for what is known of the model."""
    table = [["Name", facts.name, ""], ["Size", f"{rounded(facts.parameters)} parameters", ""]]
    if facts.corpus:
        amount = [f"{rounded(facts.stories)} stories"] if facts.stories else []
        amount += [f"{rounded(facts.corpus_tokens)} tokens"] if facts.corpus_tokens else []
        table.append(["Learned from", facts.corpus, ", ".join(amount)])
    if facts.tokens_seen:
        table.append(["Has read", f"{rounded(facts.tokens_seen)} tokens", ""])
    table.append(
        ["Sees", f"{facts.context:,} tokens at a time", "older words slide out of its sight"]
    )
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
