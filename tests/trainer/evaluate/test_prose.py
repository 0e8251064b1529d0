"""What is counted of prose."""

import sys

import pytest
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.continuations import Continuation, Sampling
from trainer.evaluate.prose import (
    Prose,
    distinct,
    find_in_training,
    measure,
    measure_prose,
    repeated,
    words,
)
from trainer.evaluate.report.tables import plain_table, prose_table

LONG = "the quick brown fox jumps over the lazy dog"


def test_words_have_no_case_and_no_punctuation() -> None:
    assert words("“Don't stop, Mom’s coming!” 3 cats_ran") == [
        *("don't", "stop", "mom’s", "coming", "3", "cats", "ran"),
    ]


def test_repeated_runs_are_counted_within_a_text() -> None:
    assert repeated([words("one two three four five")]) == 0
    # six runs of four words, the last two of which stood there before
    assert repeated([words("a b c d e a b c d"), words("a b c d")]) == pytest.approx(1 / 7)
    assert repeated([words("too short")]) == 0


def test_distinct_runs_are_counted_over_all_texts() -> None:
    assert distinct([words("a b a"), words("a b")], 1) == pytest.approx(2 / 5)
    assert distinct([words("a b a"), words("a b")], 2) == pytest.approx(2 / 3)
    assert distinct([words("a")], 3) == 0


def test_what_stands_in_the_training_stories() -> None:
    ten = "so " + LONG  # ten words: three runs of eight
    training = ["Nothing.", f"The Quick brown fox jumps over the lazy ... {LONG}"]
    found = find_in_training(training, [ten, LONG], ["nothing", "something"])
    assert measure([(ten, 1)], found).copied == pytest.approx(2 / 3)
    assert measure([(LONG, 1)], found).copied == 1
    assert measure([("a b", 1)], found).copied == 0
    assert measure([(ten, 1)], found).known == pytest.approx(9 / 10)
    assert measure([(ten, 1)], None).known is None
    assert found.stories == {("nothing",)}
    assert (found.compared, measure([(ten, 1)], found).drawn) == (0, None)


def test_common_runs_are_told_from_copied_ones() -> None:
    """As many training stories are drawn as there are others; a training story is no other."""
    training = [LONG, *(f"story {number} of many that have nothing of it" for number in range(9))]
    unread = ["Story 3 of many that have nothing of it.", "Another story.", f"Once {LONG}"]
    found = find_in_training(training, [LONG, unread[0]], unread=unread)
    assert found.compared == 2
    of_long, of_other = measure([(LONG, 1)], found), measure([(unread[0], 1)], found)
    assert (of_long.copied, of_long.unread) == (1, 1)
    assert (of_other.copied, of_other.unread) == (1, 0)
    few = find_in_training(training[:1], [LONG], unread=unread)
    assert (few.compared, measure([(LONG, 1)], few).drawn) == (1, 1)


def prose_of(written: str, tokenizer: PreTrainedTokenizerBase, training: list[str]) -> Prose:
    counts = (len(tokenizer(text).input_ids) for text in (LONG, written))
    pair = Continuation(LONG, written, *counts, ended=True)
    known = find_in_training(training, pair.texts) if training else None
    return measure_prose([pair], Sampling(), tokenizer, known)


def test_prose_is_measured_beside_the_true_one(tokenizer: PreTrainedTokenizerBase) -> None:
    same = prose_of(LONG, tokenizer, [LONG])
    assert same.bleu == pytest.approx(100)
    assert same.bleu_signature.startswith("nrefs:1|case:mixed|")
    assert (same.written.copied, same.true.copied, same.written.repeated) == (1.0, 1.0, 0.0)
    assert (same.ended, same.true.tokens) == (1.0, 15)
    other = prose_of("and the fox ran " * 4, tokenizer, [])
    assert other.bleu is not None and other.bleu < 20
    assert other.written.repeated > 0.5 > other.true.repeated
    assert other.written.distinct[0] == pytest.approx(4 / 16)
    assert other.written.copied is None
    table = plain_table(prose_table([same]))
    assert "BLEU" in table and "100.00%" in table


def test_without_sacrebleu_the_rest_is_there(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    found = prose_of(LONG, tokenizer, [])
    assert (found.bleu, found.bleu_signature) == (None, "")
    assert "sacrebleu is not installed" in plain_table(prose_table([found]))
