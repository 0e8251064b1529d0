"""Compare a model's own prose with the true stories.

Each measure of the model's text is also taken of the true second halves of the same stories: a
repetition of 5 % means little without the repetition in true stories. So is the copied part: "once
upon a time there was a little" stands in every training set, so true stories that the model has not
read contain such runs too. A model's likeliest words are more common than those of true stories.
What tells copied runs from common ones is the comparison with stories that the model has not read:
they contain the common runs too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from trainer.corpus.store.run_filter import words
from trainer.evaluate.continuations import Continuation, Sampling

REPEATED = 4  # words
COPIED = 8  # words
Run = tuple[str, ...]


@dataclass(frozen=True)
class TrainingText:
    """The runs, words and stories of some texts that are also in the training stories.

    Attributes:
        runs: 8-word runs.
        words: single words.
        stories: whole texts, without case and punctuation, as values of `same_story`.
        compared: number of training stories that were drawn, and of stories that the model has not
            read, to tell copied runs from common ones.
        drawn, unread: 8-word runs that are in these stories.
    """

    runs: frozenset[Run]
    words: frozenset[str]
    stories: frozenset[Run]
    compared: int = 0
    drawn: frozenset[Run] = frozenset()
    unread: frozenset[Run] = frozenset()


@dataclass(frozen=True)
class Measures:
    """Statistics of some texts; shares are from 0 to 1.

    Attributes:
        tokens: mean length.
        distinct: different runs of one, two and three words, as parts of all such runs.
        repeated: part of the 4-word runs that occur earlier in the same text.
        known: part of the words that are in the training stories; None without training stories.
        copied: the same part of the 8-word runs.
        drawn, unread: the part of the 8-word runs that is in some training stories, and in as many
            stories that the model has not read; None without such stories.
    """

    tokens: float
    distinct: tuple[float, float, float]
    repeated: float
    known: float | None
    copied: float | None
    drawn: float | None = None
    unread: float | None = None


@dataclass(frozen=True)
class Prose:
    """The measures of a model's continuations.

    Attributes:
        sampling: "greedy", or temperature and top-k.
        stories: number of continuations.
        bleu: of the continuations, cut to the length of the true halves, against the true halves; 0
            to 100. None if sacrebleu is not installed.
        bleu_signature: sacrebleu's, to reproduce the number; empty without sacrebleu.
        ended: part of the stories that the model ended.
        written, true: the measures of the continuations and of the true halves.
        compared: number of stories that `Measures.drawn` and `Measures.unread` are about.
    """

    sampling: str
    stories: int
    bleu: float | None
    bleu_signature: str
    ended: float
    written: Measures
    true: Measures
    compared: int = 0


def measure_prose(
    continuations: list[Continuation],
    sampling: Sampling,
    tokenizer: PreTrainedTokenizerBase,
    training: TrainingText | None = None,
) -> Prose:
    """Return BLEU and the measures of the continuations; `training` comes from
    `find_in_training`."""
    bleu, signature = bleu_of(
        [pair.cut(tokenizer) for pair in continuations], [pair.true for pair in continuations]
    )
    count = len(continuations)
    return Prose(
        sampling=str(sampling),
        stories=count,
        bleu=bleu,
        bleu_signature=signature,
        ended=sum(pair.ended for pair in continuations) / count,
        written=measure([(pair.written, pair.num_written) for pair in continuations], training),
        true=measure([(pair.true, pair.num_true) for pair in continuations], training),
        compared=training.compared if training else 0,
    )


def bleu_of(written: list[str], true: list[str]) -> tuple[float | None, str]:
    """Return the BLEU of the whole corpus and sacrebleu's signature. Without sacrebleu
    return None and "", so that a training run does not fail at its end."""
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        return None, ""
    metric = BLEU()
    score = metric.corpus_score(written, [true]).score
    return float(score), str(metric.get_signature())


def measure(texts: list[tuple[str, int]], training: TrainingText | None) -> Measures:
    """Return the measures of some texts, each with the number of its tokens."""
    split = [words(text) for text, _ in texts]
    known = copied = drawn = unread = None
    if training is not None:
        known = part([word in training.words for text in split for word in text])
        every = [run for text in split for run in runs(text, COPIED)]
        copied = part([run in training.runs for run in every])
        if training.compared:
            drawn = part([run in training.drawn for run in every])
            unread = part([run in training.unread for run in every])
    return Measures(
        tokens=sum(tokens for _, tokens in texts) / len(texts),
        distinct=(distinct(split, 1), distinct(split, 2), distinct(split, 3)),
        repeated=repeated(split),
        known=known,
        copied=copied,
        drawn=drawn,
        unread=unread,
    )


def find_in_training(
    training: Iterable[str],
    texts: Iterable[str],
    stories: Iterable[str] = (),
    unread: Sequence[str] = (),
) -> TrainingText:
    """Return which words and runs of `texts`, and which whole `stories`, are in the training
    stories.

    The runs are also looked up in `unread`, stories that the model has not read (those that prove
    to be training stories are left out), and in as many training stories, drawn at random
    (algorithm R of Vitter, 1985). Memory does not depend on the number of training stories.
    """
    split = [words(text) for text in texts]
    wanted_words = {word for text in split for word in text}
    wanted_runs = {run for text in split for run in runs(text, COPIED)}
    split_unread = [words(story) for story in unread]
    wanted_stories = {*map(same_story, stories), *map(tuple, split_unread)}
    met_words: set[str] = set()
    met_runs: set[Run] = set()
    met_stories: set[Run] = set()
    random, drawn = np.random.default_rng(0), list[set[Run]]()
    for number, story in enumerate(training):
        words_of_story = words(story)
        met_words.update(wanted_words.intersection(words_of_story))
        met = wanted_runs.intersection(runs(words_of_story, COPIED))
        met_runs.update(met)
        if wanted_stories and (whole := tuple(words_of_story)) in wanted_stories:
            met_stories.add(whole)
        if len(drawn) < len(unread):
            drawn.append(met)
        elif drawn and (place := int(random.integers(number + 1))) < len(drawn):
            drawn[place] = met
    split_unread = [text for text in split_unread if tuple(text) not in met_stories]
    compared = min(len(drawn), len(split_unread))
    unread_runs = {run for text in split_unread[:compared] for run in runs(text, COPIED)}
    return TrainingText(
        frozenset(met_runs),
        frozenset(met_words),
        frozenset(met_stories),
        compared,
        frozenset().union(*drawn[:compared]),
        frozenset(wanted_runs & unread_runs),
    )


def same_story(story: str) -> Run:
    """Return the same value for two stories that differ in case and punctuation only."""
    return tuple(words(story))


def runs(text: list[str], length: int) -> list[Run]:
    """Return all runs of `length` words, in order."""
    return list(zip(*(text[first:] for first in range(length)), strict=False))


def part(flags: list[bool]) -> float:
    """Return the part of the flags that is true; 0 without flags."""
    return sum(flags) / len(flags) if flags else 0.0


def distinct(texts: list[list[str]], length: int) -> float:
    """Return the distinct runs of `length` words as a part of all runs (distinct-n of Li et al.,
    2016)."""
    every = [run for text in texts for run in runs(text, length)]
    return len(set(every)) / len(every) if every else 0.0


def repeated(texts: list[list[str]]) -> float:
    """Return the part of the 4-word runs that occurred before in the same text, over all texts."""
    every = [runs(text, REPEATED) for text in texts]
    total = sum(map(len, every))
    return (total - sum(len(set(some)) for some in every)) / total if total else 0.0
