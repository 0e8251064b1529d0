"""Words to use: where each stands, and what the shipped model makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.words import compare, some_words
from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.engine.words import PATIENCE, WordsToUse, begins_word, end_of
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.permalink import Permalink, Run, decode
from tests.paths import ROOT
from tests.web.vectors import Letters, letter_by_letter

# Of a story with the ladder, Zoë and squirrel in the form of words to use before the second one.
FORMER = (
    "Wls6NAtUtRkgAALc3Rvcnl0ZWxsZXIMJDx4YMeHgQAAAAIAAFIzNjCyMjK5EWm_Dq0Obi6tLk5MrYIAg6LDyIIsB"
    "xlB6sdCyikFIgEJjCyieLWeYQArMxA0AaC4BUICQKeFKIMKJwEaCXgFAqgYcEKviyiBCcKi5hEEj0SNGsKKRe_Jo"
    "miGnKIBUzBzMBcQKjE72UAVIeJGnH4Kva7dY"
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    folder = ModelFolder.open(str(ROOT / "models" / "storyteller"), device="cpu")
    with Engine(folder, max_streams=10) as engine:
        yield engine


def waiting(text: str, *words: str) -> WordsToUse:
    """Where words stand in a text, of which each letter is a token."""
    found = WordsToUse(words, letter_by_letter, Letters())
    found.follow(list(map(ord, text)))
    return found


@pytest.mark.parametrize(
    ("text", "has_come"),
    [
        ("The fox", True), ("FOX!", True), ("the “Fox”", True), ("fox's", True), ("fire-fox", True),
        ("", False), ("foxes", False), ("a firefox", False), ("fo", False), ("fox1", False),
        ("foxes and a fox", True), ("firefox fox", True),
    ],
)  # fmt: skip
def test_a_word_comes_as_a_whole_in_any_case(text: str, has_come: bool) -> None:
    assert (waiting(text, "Fox").missing == []) == has_come
    assert (end_of("fox", text.lower(), is_whole=True) is not None) == has_come


def test_scripts_without_capitals_need_no_spaces() -> None:
    assert waiting("那只狐狸跑了", "狐狸").missing == []
    assert letters(waiting("那只", "狐狸")) == " 狐"


def test_a_word_that_becomes_another_one_has_not_come() -> None:
    words = waiting("a fox", "fox")
    assert words.missing == []
    words.follow(list(map(ord, "a foxe")))
    assert words.missing == ["fox"]


def letters(words: WordsToUse) -> str:
    """What may continue a word, and what may begin one."""
    return "".join(map(chr, [*words.continues(), *words.begins()]))


def test_the_ids_that_begin_or_continue_a_word_are_wanted() -> None:
    assert letters(waiting("a", "fox", "hen")) == " "
    assert letters(waiting("a ", "fox", "hen")) == "fh"  # the space has begun both
    assert letters(waiting("a f", "fox", "hen")) == "o "
    assert letters(waiting('she said, "', "fox")) == "f"
    assert letters(waiting('she said."', "fox")) == " "
    assert letters(waiting("of", "fox")) == " "  # no word begins in the middle of another
    assert letters(waiting("a fox", "fox")) == ""
    assert [begins_word(text) for text in ("", "a", "a ", "a “", "a.”", "(")] == [
        True, False, True, True, False, True,
    ]  # fmt: skip


def test_three_words_come_into_nearly_every_story(engine: Engine) -> None:
    """A part of what `python -m benchmarks.words` measures, with fewer stories."""
    without, using = compare(engine, range(10))
    assert using.complete >= 9
    assert without.complete <= 1
    assert using.perplexity <= 1.25 * without.perplexity  # of so few stories; docs/LOG.md has more
    assert using.counts <= without.counts + 1


def test_no_words_change_nothing(engine: Engine) -> None:
    stories = []
    for words in ((), ("Once", "time")):  # both are there already
        with engine.write("Once upon a time", Settings(words_to_use=words, length=60)) as stream:
            stories.append([token.token_id for token in stream])
    assert stories[0] == stories[1]


def test_a_story_with_words_is_written_again_from_its_link(engine: Engine) -> None:
    settings = Settings(seed=4, length=120, words_to_use=some_words(4))
    story = engine.write("One day", settings).finish()
    tokens = [(one, -1) for one in story.prompt_ids]
    tokens += [(token.token_id, 0) for token in story.tokens]
    link = Permalink(story.model, "", (Run(settings),), tuple(tokens), (), "0000")
    assert replay(engine, link).verdict == "Reproduced exactly."


def test_a_story_of_the_former_form_is_still_reproduced(engine: Engine) -> None:
    link = decode(FORMER)
    assert link.runs[0].settings.words_form == 1
    assert link.runs[0].settings.words_to_use == ("ladder", "Zoë", "squirrel")
    assert replay(engine, link).verdict == "Reproduced exactly."


def test_a_story_that_is_asked_for_in_parts_is_the_same(engine: Engine) -> None:
    settings = Settings(seed=5, length=90, words_to_use=("dragon", "squirrel"), stop_at_end=False)
    with engine.write("One day", settings) as stream:
        whole = [token.token_id for token in stream]
    parts: list[int] = []
    start = engine.encode("One day")
    for length in (20, 30, 40):
        wish = Settings(**vars(settings) | {"length": length})
        with engine.extend(
            [*start, *parts], "", wish, opening=len(start), written=len(parts)
        ) as stream:
            parts += [token.token_id for token in stream]
    assert parts == whole


def test_a_word_that_cannot_come_is_given_up(engine: Engine) -> None:
    settings = Settings(words_to_use=("dragon",), banned_words=("dragon",), length=PATIENCE + 300)
    with engine.write("Once upon a time", settings) as stream:
        count = len(list(stream))
    assert stream.story.ended and count >= PATIENCE
