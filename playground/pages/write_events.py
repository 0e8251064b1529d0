"""Writes stories for the page and for the API: a visitor's wishes in, growing text out.

Notable decisions. The words go out as one growing text, at most every 35 ms (Gradio sends only
what is new, at 1 to 1.5 ms of work each) and less often when many visitors write at once, so that
the web part does not take the processor from the model; nobody waits in a thread. What a visitor
sends is checked here whatever the page allows: sliders let NaN pass, and anybody can call the
API. The stream stands in the visitor's session, so Stop and Continue know the story to the token;
when the session is gone (many came after, or an hour went by), Continue goes on from the text on
the page.
"""

import asyncio
import html
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypedDict

import gradio as gr

from playground.engine.engine import Engine
from playground.engine.stream import Stream
from playground.pages.model_info import rows
from playground.sampling import SEED_END, Settings

PACE = 0.035  # seconds between two updates of one visitor's page
PACE_PER_VISITOR = 0.005  # added to it for every other story that is being written
GLANCE = 0.004  # seconds between two looks for words that have not come yet
PROMPT_MAX = 20_000  # characters


class PageState(TypedDict):
    """What the page of the story shows."""

    prompt: str
    words: str
    note: str
    writing: bool


EMPTY: PageState = {"prompt": "", "words": "", "note": "", "writing": False}


class WriteEvents:
    """Writes stories with one of several models, for the page and for the API."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self.engines = engines
        self.open = 0  # streams now being read

    def engine(self, model: str | None) -> Engine:
        """The model of that name, or the first for None; ValueError for a name that is not here."""
        name = next(iter(self.engines)) if model is None else model
        if not isinstance(name, str) or name not in self.engines:
            raise ValueError(
                f"There is no model {name!r} here: choose from {', '.join(self.engines)}."
            )
        return self.engines[name]

    @contextmanager
    def reading(self, stream: Stream) -> Iterator[None]:
        """While it lasts the stream is read; then its place is free, whatever the reason: the end
        of the story, Stop, a visitor who has gone."""
        self.open += 1
        try:
            with stream:
                yield
        finally:
            self.open -= 1

    async def tell(self, stream: Stream) -> AsyncIterator[tuple[str, str]]:
        """(The words so far, a note on their number and speed), the first token at once."""
        words, count, begun = "", 0, 0.0
        while not stream.done:
            tokens = stream.take()
            if not tokens:
                await asyncio.sleep(GLANCE)
                continue
            words += "".join(token.text for token in tokens)
            count += len(tokens)
            now = time.perf_counter()
            begun = begun or now
            yield words, pace_note(count, now - begun)
            await asyncio.sleep(PACE + PACE_PER_VISITOR * (self.open - 1))

    # The page's events

    async def write(
        self,
        model: str | None,
        prompt: str,
        temperature: float,
        top_k: int,
        length: int,
        seed: int,
        sheet: PageState,
        before: Stream | None,
    ) -> AsyncIterator[tuple[PageState, Any]]:
        """Generate: a new story; yields the sheet and the stream that the session keeps."""
        if before is not None:
            before.close()
        try:
            settings = Settings(temperature=temperature, top_k=top_k, length=length, seed=seed)
            stream = self.engine(model).write(checked(prompt), settings)
        except ValueError as problem:
            yield refusal(problem, sheet), gr.skip()
            return
        with self.reading(stream):
            async for page in self.fill({**EMPTY, "prompt": prompt}, stream):
                yield page

    async def go_on(
        self,
        model: str | None,
        temperature: float,
        top_k: int,
        length: int,
        seed: int,
        sheet: PageState,
        before: Stream | None,
    ) -> AsyncIterator[tuple[PageState, Any]]:
        """Continue: `length` more tokens after the story on the page."""
        try:
            settings = Settings(temperature=temperature, top_k=top_k, length=length, seed=seed)
            engine = self.engine(model)
            if before is not None:
                before.close()
            if before is not None and before.story.model == engine.storyteller.fingerprint:
                stream = engine.write("", settings, after=before.story)
                sheet = told(before, sheet)
            else:
                stream = engine.write(checked(sheet["prompt"] + sheet["words"]), settings)
        except ValueError as problem:
            yield refusal(problem, sheet), gr.skip()
            return
        with self.reading(stream):
            async for page in self.fill(sheet, stream):
                yield page

    async def fill(self, sheet: PageState, stream: Stream) -> AsyncIterator[tuple[PageState, Any]]:
        """The stream's words after those on the sheet, until it ends."""
        keep: Any = stream  # into the session with the first words; later ones leave it as it is
        note = ""
        try:
            async for words, note in self.tell(stream):
                words = sheet["words"] + words
                yield {**sheet, "words": words, "note": note, "writing": True}, keep
                keep = gr.skip()
        except RuntimeError as problem:  # the engine failed
            yield refusal(problem, told(stream, sheet)), keep
            return
        yield {**told(stream, sheet), "note": closing_note(stream, note)}, keep

    async def stop(self, sheet: PageState, stream: Stream | None) -> PageState:
        """Stop: the stream's place is free, and the sheet shows the story to its last token."""
        if stream is None:
            return {**sheet, "writing": False}
        stream.close()
        return {**told(stream, sheet), "note": f"Stopped · {sheet['note']}".rstrip(" ·")}

    async def about(self, model: str) -> list[list[str]]:
        return rows(self.engine(model).storyteller.facts)

    # The API

    async def generate(
        self,
        prompt: str,
        temperature: float = 0.8,
        top_k: int = 40,
        length: int = 200,
        seed: int | None = None,
        model: str | None = None,
    ) -> AsyncIterator[str]:
        """Write a story: streams the text so far, prompt included; the last value is all of it.

        temperature: 0 (always the likeliest token) to 2. top_k: draw from the k likeliest tokens,
        at most 200; 0 is all. length: tokens to write, 1 to 1,000. seed: 0 to 4,294,967,295, the
        same story for the same seed, settings and model; none for a new one each time. model: a
        name from the page's list, none for the first. A value that cannot be used is refused in
        one sentence.
        """
        try:
            seed = secrets.randbelow(SEED_END) if seed is None else seed
            settings = Settings(temperature=temperature, top_k=top_k, length=length, seed=seed)
            stream = self.engine(model).write(checked(prompt), settings)
        except ValueError as problem:
            raise gr.Error(str(problem), print_exception=False) from None
        with self.reading(stream):
            try:
                async for words, _ in self.tell(stream):
                    yield prompt + words
            except RuntimeError as problem:
                raise gr.Error(str(problem), print_exception=False) from None


def checked(prompt: str) -> str:
    """The prompt, if it is text of a length that a page can carry; ValueError if not."""
    if not isinstance(prompt, str):
        raise ValueError("The opening of the story must be text.")
    if len(prompt) > PROMPT_MAX:
        raise ValueError(
            f"The opening has {len(prompt):,} characters; {PROMPT_MAX:,} are the most: shorten it."
        )
    return prompt


def told(stream: Stream, sheet: PageState) -> PageState:
    """The sheet with all that the stream has written, at rest."""
    return {**sheet, "words": stream.story.text[len(sheet["prompt"]) :], "writing": False}


def refusal(problem: Exception, sheet: PageState) -> PageState:
    """Says on the page why nothing is written; the sheet stays as it was."""
    sentence = str(problem)
    gr.Warning(html.escape(sentence[:1].upper() + sentence[1:]), title="Nothing was written")
    return {**sheet, "writing": False}


def pace_note(count: int, seconds: float) -> str:
    speed = f" · {(count - 1) / seconds:,.0f} a second" if count > 1 and seconds > 0 else ""
    return f"{count:,} token{'s' * (count != 1)}{speed}"


def closing_note(stream: Stream, note: str) -> str:
    story = stream.story
    return f"{'The end · ' * story.ended}{note} · seed {story.settings.seed}"
