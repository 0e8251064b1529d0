"""Write every run of a link's story again and compare.

A run is a pure function of the model, the tokens before it, its settings and its seed. A story that
is reproduced was written by this model; any other was altered, or another model wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run, other_tokenizer
from playground.stories.story import Story, Token

FROM_ALL = (
    "Drawn from all words, where the last digit of the arithmetic can decide: a GPU, or a version "
    "of the playground before its core, may go another way."
)
LENGTH_MAX = 1_000  # of a run that is written again, as settings allow


@dataclass(frozen=True)
class Part:
    """Tokens of a story that a model wrote in one run.

    Attributes:
        start, end: indices of its first token and of the token after its last.
        position: tokens between the first that a model wrote and this part; the draws depend on
            it.
        run: how it was written.
    """

    start: int
    end: int
    position: int
    run: Run


@dataclass(frozen=True)
class Record:
    """A story's tokens with the model's record of each.

    Attributes:
        tokens: with a draw if the model wrote the token again.
        differs_in: the first part that the model would not have written; None if it wrote all.
        differs_at: index of its first token that differs.
        instead: the text that the model writes there; "" for nothing.
    """

    tokens: tuple[Token, ...]
    differs_in: Part | None = None
    differs_at: int | None = None
    instead: str = ""


@dataclass(frozen=True)
class Replay:
    """The result of writing a link's story again.

    Attributes:
        story: its record by the model at hand; only reproduced tokens have draws.
        link: as it was given.
        record: the tokens, and where they differ.
        is_same_model: whether the model at hand wrote the story, according to the link.
    """

    story: Story
    link: Permalink
    record: Record
    is_same_model: bool

    @property
    def differs_at(self) -> int | None:
        """Return the index of the first token that the model would not have written; None if it
        reproduced all."""
        return self.record.differs_at

    @property
    def verdict(self) -> str:
        """Return whether the story was reproduced, as a message."""
        if all(run < 0 for run, _, _ in self.link.segments):
            return "A person wrote all of this: there is nothing to reproduce."
        teller = "" if self.is_same_model else f"Told by another model ({self.link.name}): "
        record = self.record
        if record.differs_in is None or record.differs_at is None:
            return f"{teller}{'this one says the same' if teller else 'Reproduced exactly'}."
        was, instead = record.tokens[record.differs_at].text.strip(), record.instead.strip()
        where = f"from word {record.differs_at + 1} on"
        if teller:
            return f'{teller}{where} this one would say "{instead}", not "{was}".'
        differs = f'Differs {where}: "{instead}" instead of "{was}".'
        is_from_all = record.differs_in.run.settings.draws_from_all  # from all tokens, no limit
        return f"{differs} {FROM_ALL}" if is_from_all else differs


def replay(engine: Engine, link: Permalink) -> Replay:
    """Write a link's story again.

    Raises:
        ValueError: the link is empty, or of another tokenizer, or the model lacks a token.
        Busy: too many stories are waiting.
    """
    if not has_tokenizer_of(link, engine.storyteller):
        raise ValueError(other_tokenizer(link))
    ids = [token_id for token_id, _ in link.tokens]
    if not ids:
        raise ValueError("this link holds no story.")
    opening = next((start for run, start, _ in link.segments if run >= 0), len(ids))
    parts = [
        Part(start, end, start - opening, link.runs[run])
        for run, start, end in link.segments
        if run >= 0
    ]
    rewritten = record(engine, ids, parts)
    settings = link.runs[0].settings if link.runs else Settings()
    story = Story(
        engine.storyteller.fingerprint,
        replace(settings, length=max(1, min(LENGTH_MAX, len(ids) - opening))),
        "",
        (),
        rewritten.tokens,
        ended=ids[-1] in engine.storyteller.eos_ids,
        begins_with=link.runs[0].begins_with if link.runs else "",
    )
    is_same_model = engine.storyteller.fingerprint.startswith(link.model)
    return Replay(story, link, rewritten, is_same_model)


def record(engine: Engine, ids: Sequence[int], parts: Sequence[Part]) -> Record:
    """Return the record of a story. The model writes its parts again, up to the first token that
    differs.

    Args:
        ids: the story's tokens, at least one.
        parts: those that a model wrote, in order.

    Raises:
        ValueError: the model does not have one of the tokens.
        Busy: too many stories are waiting.
    """
    tokens = list(engine.score_ids(ids).tokens)
    for part in parts:
        for k, token in enumerate(written(engine, ids, part), part.start):
            if token is None or token.token_id != ids[k]:
                return Record(tuple(tokens), part, k, "" if token is None else token.text)
            tokens[k] = token
    return Record(tuple(tokens))


def has_tokenizer_of(link: Permalink, model: ModelFolder) -> bool:
    """Return whether a model has the tokenizer of a link."""
    is_its = model.fingerprint.startswith(link.model)
    return is_its or link.has_tokenizer(model.tokenizer_fingerprint)


def written(engine: Engine, ids: Sequence[int], part: Part) -> list[Token | None]:
    """Return the tokens that the model writes for a part of a story; None after its end."""
    length, run = part.end - part.start, part.run
    with engine.extend(
        list(ids[: part.start]),
        "",
        replace(run.settings, length=min(length, LENGTH_MAX)),
        opening=part.start - part.position,
        beyond_end=run.beyond_end,
        begins_with=run.begins_with,
    ) as stream:
        tokens: list[Token | None] = list(stream)
    return (tokens + [None] * length)[:length]
