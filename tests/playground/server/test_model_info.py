"""What is known of a model, in words."""

from __future__ import annotations

from playground.folder.model_folder import ModelInfo
from playground.folder.model_info import rows


def test_facts_are_told_in_words_and_the_unknown_is_left_out() -> None:
    known = ModelInfo(
        "storyteller", parameters=19_234_048, context=512, vocabulary=50257, corpus="TinyStories",
        stories=12_400, corpus_tokens=2_980_000, tokens_seen=1_200_000_000, perplexity=12.314,
        bits_per_byte=0.6123, license="Apache-2.0",
    )  # fmt: skip
    facts = {name: (value, meaning) for name, value, meaning in rows(known, 512, 64)}
    assert facts["Size"][0] == "19.2 million parameters"
    assert facts["Learned from"] == ("TinyStories", "12,400 stories, 3 million tokens")
    assert facts["Has read"][0] == "1.2 billion tokens"
    assert facts["Perplexity"][0] == "12.31"
    assert facts["Bits per byte"][0] == "0.612"
    bare = ModelInfo("other", 1_000, 64, 50257, "", None, None, None, None, None, None)
    assert [name for name, *_ in rows(bare, 64, 1)] == ["Name", "Size", "Sees", "Writes"]
