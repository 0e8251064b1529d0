"""What the decode loop writes: the same as transformers, alone and batched, beyond the context."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.core.library import Core
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.model.cuda_decoder import CudaDecoder
from playground.sampling import Settings
from playground.stories.story import Story, Token
from tests.playground.conftest import CONTEXT
from tests.vocabulary import END_OF_TEXT, SIZE

Opened = Callable[[Path], ModelFolder]
PROMPT = "Once upon a time, a small fox found a red kite."
LONG = " ".join([PROMPT, "It flew over the hill and the river, and nobody saw it again."] * 8)


def stock(folder: Path) -> Any:
    """The folder as transformers opens it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def on_cuda_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines compute as on a GPU, but on the processor and without a recording."""
    monkeypatch.setattr(
        "playground.engine.engine.open_decoder", lambda storyteller, _: CudaDecoder(storyteller)
    )


@pytest.fixture(params=["core", "cuda"])
def each_decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own two decoders."""
    if request.param == "cuda":
        on_cuda_decoder(monkeypatch)


def story_of(engine: Engine, prompt: str, **settings: Any) -> Story:
    """A whole story."""
    return engine.write(prompt, Settings(**settings)).finish()


def written(engine: Engine, wishes: Iterable[tuple[str, Settings]]) -> list[Story]:
    """Whole stories, written at once."""
    streams = [engine.write(*wish) for wish in wishes]
    return [stream.finish() for stream in streams]


def window(count: int) -> int:
    """The oldest of `count` tokens that is seen: whole quarters of the context are forgotten."""
    first = 0
    while count - first > CONTEXT:
        first += CONTEXT // 4
    return first


def check_records(model: Any, story: Story, ids: list[int], start: int) -> None:
    """Tokens ids[start:] against transformers, over the windows that the loop promises."""
    for first, group in itertools.groupby(range(start, len(ids)), window):
        indexes = list(group)
        seen = torch.tensor([ids[first : indexes[-1]]])
        with torch.inference_mode():
            logits = model(seen).logits[0, [index - first - 1 for index in indexes]].double()
        for index, row in zip(indexes, logits, strict=True):
            assert story.tokens[index - start].token_id == ids[index]
            check_record(story.tokens[index - start], row)


def check_record(token: Token, logits: torch.Tensor) -> None:
    """A record against what transformers says there: logits (vocabulary,)."""
    shares, own = logits.softmax(-1), logits[token.token_id]
    assert token.probability == pytest.approx(float(shares[token.token_id]), rel=1e-3)
    assert token.entropy == pytest.approx(float(torch.special.entr(shares).sum()), abs=1e-3)
    best = [other.probability for other in token.alternatives]
    assert best == pytest.approx(shares.topk(10).values.tolist(), rel=1e-3)
    assert best == sorted(best, reverse=True)
    slack = 1e-3
    above = int((logits > own + slack).sum())
    assert above <= token.rank <= above + int(((logits - own).abs() <= slack).sum())


@pytest.mark.usefixtures("each_decoder", "broken_characters")
def test_greedy_tokens_are_those_of_transformers(each_folder: Path, opened: Opened) -> None:
    model = stock(each_folder)
    settings = Settings(temperature=0, length=40, stop_at_end=False)
    prompts = (PROMPT, "Lily", "The dog and the cat were friends because")
    with Engine(opened(each_folder), max_streams=3) as engine:
        for story in written(engine, [(prompt, settings) for prompt in prompts]):
            ids = [token.token_id for token in story.tokens]
            begin = [END_OF_TEXT, *story.prompt_ids]
            with torch.inference_mode():
                logits = model(torch.tensor([begin + ids[:-1]])).logits[0, len(begin) - 1 :]
            assert ids == logits.argmax(-1).tolist()
            assert len(ids) == 40
            assert all(token.rank == 0 for token in story.tokens)


@pytest.mark.slow
def test_2000_tokens_of_the_shipped_model_are_those_of_transformers(
    shipped_engine: Engine,
) -> None:
    model = stock(shipped_engine.storyteller.folder)
    settings = Settings(temperature=0, length=250, stop_at_end=False)
    begins = ("Once upon a time", "Tom had a dog", "The moon", "Lily", "One day", "A", "In", "")
    nats = 0.0
    for story in written(shipped_engine, [(begin, settings) for begin in begins]):
        ids = [token.token_id for token in story.tokens]
        begin = [shipped_engine.storyteller.bos_id, *story.prompt_ids]
        with torch.inference_mode():
            logits = model(torch.tensor([begin + ids[:-1]])).logits[0, len(begin) - 1 :].double()
        assert ids == logits.argmax(-1).tolist()
        assert len(ids) == 250
        own = logits.log_softmax(-1)[range(250), ids]
        nats += sum(token.surprise for token in story.tokens) + float(own.sum())
    assert abs(nats) / 2_000 < 1e-6


@pytest.mark.usefixtures("each_decoder")
def test_scores_are_those_of_transformers_also_beyond_the_context(
    each_folder: Path, opened: Opened
) -> None:
    model = stock(each_folder)
    with Engine(opened(each_folder), max_streams=2) as engine:
        story = engine.score(LONG)
        ids = [END_OF_TEXT, *engine.encode(LONG)]
        assert len(ids) > 3 * CONTEXT
        assert len(story.tokens) == len(ids) - 1
        check_records(model, story, ids, 1)
        assert story.text == LONG
        assert all(token.draw is None for token in story.tokens)


@pytest.mark.slow
@pytest.mark.usefixtures("each_decoder", "broken_characters")
def test_a_story_of_three_contexts_sees_the_window_it_should(
    each_folder: Path, opened: Opened
) -> None:
    model = stock(each_folder)
    with Engine(opened(each_folder), max_streams=2) as engine:
        story = story_of(
            engine, PROMPT, length=3 * CONTEXT, top_k=0, temperature=1, stop_at_end=False
        )
    ids = [END_OF_TEXT, *story.prompt_ids, *(token.token_id for token in story.tokens)]
    assert len(story.tokens) == 3 * CONTEXT
    check_records(model, story, ids, 1 + len(story.prompt_ids))
    for token in story.tokens:  # at temperature 1 nothing changes the model's own probability
        assert token.chosen_probability == pytest.approx(token.probability, rel=1e-9)


OTHERS = [
    ("", Settings(temperature=2, top_k=0, length=300, seed=5, stop_at_end=False)),
    ("The", Settings(temperature=0, length=40, stop_at_end=False)),
    (LONG, Settings(top_k=200, length=7)),
    (LONG[:300], Settings(top_p=0.5, top_k=0, length=90, seed=9)),
    ("Tom", Settings(repetition_penalty=1.3, length=60)),
    ("A bird", Settings(banned_words=("bird", "tree"), length=50)),
    ("One day", Settings(min_p=0.2, length=120, seed=3)),
    (PROMPT, Settings(length=200, seed=4)),
]


def written_among_others(engine: Engine, *settings: Settings) -> list[Story]:
    """Stories of one prompt, written while others come, end, and are left."""
    others = [engine.write(*other) for other in OTHERS[:4]]
    next(others[0])
    streams = [engine.write(PROMPT, its) for its in settings]
    for count, _ in enumerate(streams[0]):
        if count % 15 == 0 and count < 60:
            others.append(engine.write(*OTHERS[4 + count // 15]))
        if count == 40:
            others[0].close()
    stories = [stream.finish() for stream in streams]
    for other in others:
        other.close()
    return stories


SAME = (
    Settings(temperature=1, top_k=0, length=55, seed=7, stop_at_end=False),
    Settings(length=55, seed=8, repetition_penalty=1.2, stop_at_end=False),
    Settings(temperature=2, top_k=0, length=55, seed=9, stop_at_end=False),
)  # longer than a context, with the prompt


@pytest.mark.slow
def test_a_story_is_the_same_to_the_bit_alone_and_batched_with_any_number_of_threads(
    each_folder: Path, opened: Opened
) -> None:
    def alone(engine: Engine) -> list[Story]:
        return [story_of(engine, PROMPT, **vars(settings)) for settings in SAME]

    def batched(engine: Engine) -> list[Story]:
        return written_among_others(engine, *SAME)

    stories: list[list[Story]] = []
    for threads, ways in ((1, (alone, batched)), (2, (batched, alone)), (8, (batched, alone))):
        with Engine(opened(each_folder), max_streams=16, threads=threads) as engine:
            stories += [way(engine) for way in ways]
    for other in stories:
        assert [len(story.tokens) for story in other] == [55, 55, 55]
        assert [story.tokens for story in other] == [story.tokens for story in stories[0]]


@pytest.mark.slow
def test_a_story_is_the_same_alone_and_batched_on_the_gpu_s_decoder(
    each_folder: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit only on a GPU (tests/gpu): a CPU's products depend on where a row stands."""
    on_cuda_decoder(monkeypatch)
    with Engine(opened(each_folder), max_streams=16) as engine:
        alone = [story_of(engine, PROMPT, **vars(settings)) for settings in SAME]
        batched = written_among_others(engine, *SAME)
    for story, other in zip(alone, batched, strict=True):
        check_same_but_for_rounding(story, other)


def check_same_but_for_rounding(story: Story, other: Story) -> None:
    for token, same in zip(story.tokens, other.tokens, strict=True):
        assert token.token_id == same.token_id
        assert token.probability == pytest.approx(same.probability, rel=1e-3)


RANDOM = random.Random(1)
MANY = [
    (
        RANDOM.choice(("", "The", PROMPT, "Tom and Lily went to the ", LONG[:250])),
        Settings(
            temperature=RANDOM.choice((0, 0.8, 1, 2)),
            top_k=RANDOM.choice((0, 40, 200)),
            top_p=RANDOM.choice((1, 0.9)),
            min_p=RANDOM.choice((0, 0.05)),
            repetition_penalty=RANDOM.choice((1, 1.3)),
            banned_words=RANDOM.choice(((), ("the", "fox"))),
            length=RANDOM.randrange(5, 70),
            seed=RANDOM.getrandbits(32),
            stop_at_end=RANDOM.random() < 0.5,
        ),
    )
    for _ in range(64)
]


@pytest.mark.slow
def test_64_stories_of_any_settings_are_the_same_alone_and_together(
    storyteller: ModelFolder,
) -> None:
    with Engine(storyteller, max_streams=2, threads=1) as engine:
        alone = [story_of(engine, prompt, **vars(settings)) for prompt, settings in MANY]
    for threads in (2, 8):
        with Engine(storyteller, max_streams=64, threads=threads) as engine:
            together = written(engine, MANY)
        assert [story.tokens for story in together] == [story.tokens for story in alone]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_replays_what_the_processor_computes(each_folder: Path) -> None:
    settings = Settings(temperature=0, top_k=0, length=150, stop_at_end=False)
    found = []
    for device in ("cpu", "cuda"):
        opened = ModelFolder.open(each_folder, device=device)
        with Engine(opened, max_streams=16) as engine:
            found.append(story_of(engine, PROMPT, **vars(settings)))
            if device == "cuda":
                (batched,) = written_among_others(engine, settings)
                assert batched.tokens == found[-1].tokens
    assert [token.token_id for token in found[0].tokens] == [
        token.token_id for token in found[1].tokens
    ]


def test_continuing_is_the_story_that_was_never_stopped(engine: Engine) -> None:
    options: dict[str, Any] = {"seed": 6, "top_k": 0, "stop_at_end": False}
    whole = story_of(engine, PROMPT, length=120, **options)
    tokens = story_of(engine, PROMPT, length=37, **options).tokens
    opening = len(whole.prompt_ids)
    for length in (43, 40):
        ids = [*whole.prompt_ids, *(token.token_id for token in tokens)]
        with engine.extend(ids, "", Settings(length=length, **options), opening=opening) as more:
            tokens += tuple(more)
    assert [token.token_id for token in tokens] == [token.token_id for token in whole.tokens]
    assert [token.text for token in tokens] == [token.text for token in whole.tokens]


def test_a_branch_keeps_what_is_before_and_goes_on(engine: Engine) -> None:
    story = story_of(engine, PROMPT, length=30, stop_at_end=False)
    other = story.tokens[12].alternatives[3]
    turned = engine.branch(story, 12, other.token_id).finish()
    assert turned.tokens[:12] == story.tokens[:12]
    assert turned.tokens[12].token_id == other.token_id
    assert turned.tokens[12].probability == other.probability
    assert turned.tokens[12].rank == 3
    assert len(turned.tokens) == 13 + 30
    for position, token_id in ((30, 5), (-1, 5), (0, -1), (0, SIZE)):
        with pytest.raises(ValueError, match="must be from 0 to"):
            engine.branch(story, position, token_id)


@pytest.mark.parametrize(
    "prompt",
    ["", " ", LONG, "🦊🦋 a fox", "كان يا ما كان", "从前有一只狐狸", "a\0b", "\r\n\t"],
)
def test_any_text_is_a_prompt(engine: Engine, prompt: str) -> None:
    story = story_of(engine, prompt, length=5, stop_at_end=False)
    assert len(story.tokens) == 5
    assert story.text.startswith(prompt)


def test_a_prompt_of_100_kilobytes_is_the_most(engine: Engine) -> None:
    assert len(story_of(engine, "a b c d e " * 10_000, length=3, stop_at_end=False).tokens) == 3
    with pytest.raises(ValueError, match="100,001 bytes"):
        engine.write("a" * 100_001, Settings())
    for wrong in (b"bytes", None, "\ud800"):
        with pytest.raises(ValueError, match="the prompt"):
            engine.write(wrong, Settings())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no text"):
        engine.score("")


def test_a_story_of_another_model_is_refused(
    engine: Engine, folder_of: Callable[[str], Path], opened: Opened
) -> None:
    with Engine(opened(folder_of("qwen3")), max_streams=1) as other:
        story = story_of(other, PROMPT, length=3, stop_at_end=False)
    with pytest.raises(ValueError, match="another model"):
        engine.branch(story, 0, 5)


def test_penalty_and_banned_words_do_what_they_say(engine: Engine) -> None:
    settings: dict[str, Any] = {"temperature": 0, "length": 40, "stop_at_end": False}
    plain = story_of(engine, PROMPT, **settings)
    word = next(token.text.strip() for token in plain.tokens if token.text.strip().isalpha())
    without = story_of(engine, PROMPT, banned_words=(word,), **settings)
    assert all(token.text.strip() != word for token in without.tokens)
    varied = story_of(engine, PROMPT, repetition_penalty=2, **settings)
    assert len({token.token_id for token in varied.tokens}) > len(
        {token.token_id for token in plain.tokens}
    )


@pytest.mark.parametrize("decoder", [Core, CudaDecoder])
def test_a_full_memory_holds_fewer_stories_and_then_is_an_error(
    decoder: Any,
    tiny: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    most = 6
    method = "reserve" if decoder is Core else "_reserve"
    full = MemoryError() if decoder is Core else torch.OutOfMemoryError("CUDA out of memory")
    reserve = getattr(decoder, method)

    def in_little_memory(self: Any, slots: int, *sizes: int) -> None:
        if slots > most:
            raise full
        reserve(self, slots, *sizes)

    monkeypatch.setattr(decoder, method, in_little_memory)
    if decoder is CudaDecoder:
        on_cuda_decoder(monkeypatch)
    with Engine(tiny, max_streams=8) as engine:
        assert engine.max_streams == 2
        assert "2 stories at once of 64 tokens each, not 8 of 64" in capsys.readouterr().err
        assert len(story_of(engine, PROMPT, length=5, stop_at_end=False).tokens) == 5
    most = 0
    with pytest.raises(ValueError, match="--device cpu"):
        Engine(tiny)


def test_a_step_s_size_does_not_change_a_story(
    tiny: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cuda_decoder(monkeypatch)
    options: dict[str, Any] = {"length": 90, "temperature": 1, "stop_at_end": False, "seed": 5}
    stories = []
    for rows, keys in ((8, 16), (32, 512)):  # several sizes, and a single one
        monkeypatch.setattr("playground.model.cuda_decoder.MIN_ROWS", rows)
        monkeypatch.setattr("playground.model.cuda_decoder.MIN_KEYS", keys)
        with Engine(tiny, max_streams=4) as engine:
            stories.append(story_of(engine, PROMPT, **options).tokens)
    assert [token.token_id for token in stories[0]] == [token.token_id for token in stories[1]]


def test_both_decoders_tell_the_same_story(
    each_folder: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sums differ in the last digits, which decide nothing here."""
    settings: dict[str, Any] = {"length": 90, "temperature": 1, "stop_at_end": False, "seed": 5}
    with Engine(opened(each_folder), max_streams=1) as engine:
        story = story_of(engine, PROMPT, **settings)
    on_cuda_decoder(monkeypatch)
    with Engine(opened(each_folder), max_streams=1) as engine:
        other = story_of(engine, PROMPT, **settings)
    check_same_but_for_rounding(story, other)


def test_a_record_holds_as_many_alternatives_as_are_asked_for(engine: Engine) -> None:
    settings = Settings(length=8, seed=3, stop_at_end=False)
    whole = story_of(engine, PROMPT, **vars(settings))
    for count in (0, 3):
        with engine.write(PROMPT, settings, alternatives=count) as stream:
            found = tuple(stream)
        assert found == tuple(
            replace(token, alternatives=token.alternatives[:count]) for token in whole.tokens
        )
    ids = [token.token_id for token in whole.tokens]
    assert not any(token.alternatives for token in engine.score_ids(ids, alternatives=0).tokens)
