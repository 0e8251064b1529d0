"""The fingerprint of a tokenizer follows its vocabulary, and nothing else in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.folder.model_folder import ModelFolder
from playground.folder.model_info import described
from playground.folder.tokenizer_fingerprint import tokenizer_fingerprint
from tests.playground.folder.tokenizers_in_the_wild import unigram


def test_only_the_vocabulary_counts(small_tokenizer: Path) -> None:
    file = small_tokenizer / "tokenizer.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    expected = tokenizer_fingerprint(file)
    assert len(expected) == 64

    def of(change: dict[str, object]) -> str:
        model = whole["model"] | change
        return tokenizer_fingerprint(json.dumps(whole | {"model": model}, indent=1).encode())

    merges, vocabulary = whole["model"]["merges"], whole["model"]["vocab"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    assert of({}) == expected
    assert of({"merges": pairs}) == of({"merges": [" ".join(pair) for pair in pairs]}) == expected
    assert of({"vocab": dict(reversed(vocabulary.items()))}) == expected
    # Two tokens change places: as many ids as before, and other words.
    one, other = list(vocabulary)[500:502]
    swapped = vocabulary | {one: vocabulary[other], other: vocabulary[one]}
    assert of({"vocab": swapped}) != expected
    assert of({"merges": merges[:-1]}) != expected
    added = whole | {"added_tokens": [*whole["added_tokens"], {"id": 4001, "content": "<new>"}]}
    assert tokenizer_fingerprint(json.dumps(added).encode()) != expected


def test_other_kinds_have_one_too() -> None:
    assert len(tokenizer_fingerprint(unigram().to_str().encode())) == 64
    for wrong in (b"", b"[]", b"{}", b'{"model": {}}', b'{"model": {"vocab": [1]}}', b"\xff"):
        with pytest.raises(ValueError, match="not a tokenizer.json"):
            tokenizer_fingerprint(wrong)


def test_a_model_names_its_tokenizer(storyteller: ModelFolder, small_tokenizer: Path) -> None:
    expected = tokenizer_fingerprint(small_tokenizer / "tokenizer.json")
    assert storyteller.tokenizer_fingerprint == expected
    about = described(
        storyteller.facts, storyteller.fingerprint, storyteller.tokenizer_fingerprint, 64, 8
    )
    assert about["tokenizer"] == expected[:16]
