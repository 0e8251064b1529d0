"""The life of streams: places, the queue, lost readers, and the end of the engine."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from typing import Any

import pytest

from playground.engine.engine import Busy, Engine
from playground.engine.stream import Stream
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from tests.vocabulary import END_OF_TEXT

ENDLESS = Settings(length=1_000, stop_at_end=False)


def rest(stream: Stream) -> int:
    """Number of tokens that still come."""
    return sum(1 for _ in stream)


def engine_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "storyteller"]


def fill(engine: Engine) -> list[Stream]:
    """Streams in all four places, and two that wait."""
    running = []
    for _ in range(4):
        running.append(engine.write("Once", ENDLESS))
        next(running[-1])  # has a place
    return [*running, *(engine.write("Once", ENDLESS) for _ in range(2))]


def lose(streams: list[Stream], how: str) -> None:
    """One way in which the reader of the first stream goes."""
    stream = streams.pop(0)
    if how == "closed":
        stream.close()
        assert list(stream) == []
    elif how == "with":
        with stream:
            pass
        assert stream.done
    # "dropped": nobody holds it any more


@pytest.mark.parametrize("how", ["closed", "with", "dropped"])
def test_a_stream_without_a_reader_frees_its_place(engine: Engine, how: str) -> None:
    streams = fill(engine)
    for _ in range(2):
        lose(streams, how)
    assert next(streams[2])  # the two that waited are writing now
    assert next(streams[3])
    assert next(streams[0])
    for stream in streams:
        stream.close()
    assert rest(engine.write("Then", Settings(length=5, stop_at_end=False))) == 5


def test_a_full_queue_is_refused_and_a_lost_reader_makes_room_in_it(engine: Engine) -> None:
    streams = fill(engine)
    for call in (lambda: engine.write("Once", ENDLESS), lambda: engine.score("Once")):
        with pytest.raises(Busy, match="waiting already"):
            call()
    streams.pop().close()  # one that waited
    late = engine.write("Once", Settings(length=3, stop_at_end=False))
    for stream in streams:
        stream.close()
    assert rest(late) == 3


def test_a_stopped_story_keeps_what_was_written(engine: Engine) -> None:
    stream = engine.write("Once", ENDLESS)
    read = [next(stream) for _ in range(5)]
    stream.close()
    story = stream.story
    assert list(story.tokens[:5]) == read
    assert not story.ended
    assert len(story.tokens) < 1_000
    ids = [*story.prompt_ids, *(token.token_id for token in story.tokens)]
    assert rest(engine.extend(ids, "", Settings(length=4, stop_at_end=False))) == 4


def test_a_story_ends_with_its_length_or_the_models_end(storyteller: ModelFolder) -> None:
    stories = []
    with Engine(storyteller, max_streams=20) as engine:
        settings = Settings(temperature=1.5, top_k=0, length=40)
        streams = [engine.write("Once", replace(settings, seed=seed)) for seed in range(20)]
        for stream in streams:
            rest(stream)
            stories.append(stream.story)
    assert {story.ended for story in stories} == {True, False}
    for story in stories:
        assert len(story.tokens) < 40 if story.ended else len(story.tokens) == 40
        assert all(token.token_id != END_OF_TEXT for token in story.tokens)


def test_tokens_can_be_taken_without_waiting(engine: Engine) -> None:
    stream = engine.write("Once", Settings(length=30, stop_at_end=False))
    found = [next(stream)]
    while not stream.done:
        found += stream.take()
    assert len(found) == 30
    assert tuple(found) == stream.story.tokens


def test_a_waiting_reader_in_another_thread_is_served_in_turn(storyteller: ModelFolder) -> None:
    counts: list[int] = []
    with Engine(storyteller, max_streams=2, max_waiting=20) as engine:

        def read(seed: int) -> None:
            settings = Settings(length=20, seed=seed, stop_at_end=False)
            counts.append(rest(engine.write("Once", settings)))

        readers = [threading.Thread(target=read, args=(seed,)) for seed in range(12)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(60)
    assert counts == [20] * 12


def test_closing_the_engine_ends_streams_and_its_thread(storyteller: ModelFolder) -> None:
    before = len(engine_threads())
    engine = Engine(storyteller, max_streams=4, max_waiting=2)
    assert len(engine_threads()) == before + 1
    streams = fill(engine)
    engine.close()
    assert len(engine_threads()) == before
    for stream in streams:
        assert rest(stream) < 1_000
        assert not stream.story.ended
    for call in (lambda: engine.write("Once", ENDLESS), lambda: engine.score("Once")):
        with pytest.raises(ValueError, match="closing"):
            call()
    engine.close()  # twice does no harm


def random_settings(rng: random.Random, seed: int) -> Settings:
    return Settings(
        temperature=rng.choice([0, 0.5, 1, 2]),
        top_k=rng.choice([0, 1, 5, 40, 100, 200]),
        top_p=rng.choice([0, 0.3, 0.9, 1]),
        min_p=rng.choice([0, 0, 0.1, 1]),
        repetition_penalty=rng.choice([1, 1, 0.5, 1.3, 2]),
        length=rng.choice([1, 2, 10, 40, 90]),
        seed=seed,
        banned_words=rng.choice([(), (), ("the",), ("Tom", "fox", "🦊", "unhappily ever")]),
        stop_at_end=rng.choice([True, False]),
    )


@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.soak)])
def test_stories_with_random_settings_stops_and_lost_readers(
    storyteller: ModelFolder, count: int
) -> None:
    rng = random.Random(4)
    prompts = ["", "Once upon a time", "🦊", "a\0b", "The fox and the bird. " * 30]
    text = "A fox saw a bird."
    before = len(engine_threads())
    finished: list[tuple[str, Settings, Any]] = []
    held: list[tuple[Stream, str, Settings]] = []
    with Engine(storyteller, max_streams=8, max_waiting=count) as engine:
        for number in range(count):
            prompt, settings = rng.choice(prompts), random_settings(rng, number)
            held.append((engine.write(prompt, settings), prompt, settings))
            if number % 20 == 0:
                assert len(engine.score(text).tokens) == len(storyteller.encode(text))
            while len(held) > rng.randrange(12):
                stream, prompt, settings = held.pop(rng.randrange(len(held)))
                fate = rng.random()
                if fate < 0.3:
                    stream.close()
                elif fate < 0.5:
                    stream.take()
                    del stream
                else:
                    rest(stream)
                    finished.append((prompt, settings, stream.story))
        for stream, _, _ in held:
            stream.close()
        assert rest(engine.write("Then", Settings(length=9, stop_at_end=False))) == 9
        assert not engine._batch.running
        assert not engine._waiting
        for prompt, settings, story in finished[::6]:
            again = engine.write(prompt, settings)
            rest(again)
            assert again.story == story
    assert len(finished) > count // 4
    assert len(engine_threads()) == before
