"""The shipped tokenizer: tiktoken's ids are those of transformers, and of GPT-2's own file."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tests.gpt2 import END_OF_TEXT, SIZE
from tests.trainer.corpus.write_gpt2_tokenizer import merge, tokenizer_json
from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK, GPT2, gpt2

SHARED = Path(__file__).parents[4] / "shared" / "data"
STOCK = AutoTokenizer.from_pretrained(GPT2)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@example("Once upon a time, there were 12 bears.\n\n\n  They'd  said: \"We'll see!\"  ")
@example("   \n \t\r\n  'S 's ’s ½ Ⅷ ١٢ é e\u0301 \u00a0x  ")
def test_ids_are_those_of_transformers(text: str) -> None:
    if END_OF_TEXT_MARK not in text:
        assert gpt2().tiktoken.encode_ordinary(text) == STOCK(text)["input_ids"]
    assert gpt2().decode(gpt2().tiktoken.encode_to_numpy(text)) == text


def test_ids_have_bytes_of_their_own() -> None:
    known = gpt2().token_bytes
    assert len(known) == SIZE == len(STOCK)
    assert len(set(known)) == SIZE
    assert known[END_OF_TEXT] == b""
    assert STOCK.eos_token_id == STOCK.bos_token_id == END_OF_TEXT
    assert known[262] == b" the"


@pytest.mark.slow
def test_the_files_follow_from_the_ranks() -> None:
    ranks = {token: rank for rank, token in enumerate(gpt2().token_bytes[:END_OF_TEXT])}
    assert merge(b" the", ranks) == [b" t", b"he"]
    shipped = json.loads((GPT2 / "tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer_json(ranks) == shipped


@pytest.mark.slow
def test_ids_equal_those_of_the_vocabulary_file_on_all_stories() -> None:
    if not (SHARED / "train.jsonl").is_file():
        pytest.skip("../shared/data is absent: no vocabulary file of GPT-2 to compare with")
    lines = (SHARED / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    theirs = AutoTokenizer.from_pretrained(SHARED / "gpt2_tokenizer")
    assert gpt2().tiktoken.encode_ordinary_batch(texts, num_threads=2) == theirs(texts)["input_ids"]
