"""What the card of a finished run says of its model: how well it predicts, how it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.store.token_store import TokenStore
from trainer.evaluate.characters import measure_characters
from trainer.evaluate.continuations import Sampling, continue_stories, openings_of
from trainer.evaluate.likelihood import Evaluation, evaluate
from trainer.evaluate.prose import Prose, find_in_training, measure_prose
from trainer.evaluate.samples import write_samples
from trainer.output.best_effort import best_effort
from trainer.settings.run import Run

SAMPLED = Sampling(temperature=0.8, top_k=40, seed=0)


@dataclass(frozen=True)
class Finished:
    """What was found.

    Attributes:
        evaluation: by the validation stories; None where the store has none.
        prose: greedy and sampled continuations of these; none where none is long enough.
        characters: counts of its characters (characters.py), a row each way of sampling.
        samples: a story for each of the run's prompts, {prompt, story}, not picked.
    """

    evaluation: Evaluation | None
    prose: list[Prose]
    characters: list[dict[str, Any]]
    samples: list[dict[str, str]]

    def summary(self, file: str) -> dict[str, Any]:
        """What training.json keeps of it; `file` names the stories."""
        return {
            "validation": self.evaluation and self.evaluation.summary(file),
            "prose": [asdict(way) for way in self.prose],
            "characters": self.characters,
            "samples": self.samples,
        }


def evaluate_finished(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    store: TokenStore,
    run: Run,
    say: Callable[[str], None],
) -> Finished:
    """Evaluate a model that has ended its training, in fp32, with the settings of its run; `say`
    tells whoever waits what takes the time, and what could not be done."""
    stories = list(store.stories("validation", run.evaluate_stories))
    evaluation, prose, characters, samples = None, [], [], []
    with best_effort("the evaluation", say):
        evaluation = evaluate(model, stories, tokenizer, progress=True) if stories else None
    with best_effort("the measures of its prose", say):
        prose = measure_writing(model, tokenizer, store, stories, run.continue_stories, say)
    with best_effort("the counts of its characters", say):
        characters = measure_characters(
            model, tokenizer, stories, run.continue_stories, (Sampling(), SAMPLED)
        )
    with best_effort("the sample stories", say):
        samples = write_samples(
            model, tokenizer, run.sample_prompts, seed=run.seed, length=run.sample_length
        )
    return Finished(evaluation, prose, characters, samples)


def measure_writing(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    store: TokenStore,
    stories: list[str],
    count: int,
    say: Callable[[str], None],
) -> list[Prose]:
    """How the model continues `count` of the stories, greedily and sampled."""
    openings = openings_of(model, stories, tokenizer, count)
    if not openings:
        return []
    written = [
        (way, continue_stories(model, openings, tokenizer, way, progress=True))
        for way in (Sampling(), SAMPLED)
    ]
    say(f"looking for what it wrote in {store.num_stories('train'):,} training stories")
    texts = [text for _, pairs in written for pair in pairs for text in pair.texts]
    training = find_in_training(store.stories("train"), texts)
    return [measure_prose(pairs, way, tokenizer, training) for way, pairs in written]
