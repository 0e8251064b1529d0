"""The endpoints for programs, through Gradio's queue: stories, their probabilities, branches.

New words go out as on the page (page_calls.py): Gradio takes 1 to 1.5 ms for a message. Every
request is checked here: anybody can call.
"""

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import gradio as gr
from starlette.concurrency import iterate_in_threadpool

from playground.engine.engine import Busy
from playground.sampling import TOP_K_MAX, Settings, instead
from playground.sentences import capitalized
from playground.server import zero_gpu
from playground.server.page_calls import PageCalls, checked_text, whole
from playground.server.parameters import with_settings
from playground.stories.story import Story

COUNT_MAX = 32  # stories of one prompt


class Api:
    """The endpoints, for the models of the page and its count of visitors."""

    def __init__(self, page: PageCalls) -> None:
        self.page = page
        self.write_on_gpu = zero_gpu.on_gpu() if zero_gpu.available() else None

    @with_settings
    async def generate(
        self,
        prompt: str,
        settings: dict[str, Any],
        model: str | None = None,
        request: gr.Request | None = None,
    ) -> AsyncIterator[str]:
        """Write a story: streams the text so far, prompt included; the last value is all of it.

        Args:
            prompt: how the story begins, at most 20,000 characters; may be empty.
            model: a name from the page's list; none for the first.
        """
        with refusals():
            checked = Settings(**settings)
            prompt = checked_text(prompt)
            engine = self.page.engine(model)
            with (
                self.page.visit(request),
                engine.write(prompt, checked, completes_word=True, alternatives=0) as stream,
            ):
                async for _ in self.page.batches([stream]):
                    yield max(prompt, stream.story.text, key=len)  # its last word comes by itself
                if not stream.story.tokens:  # it ended at once: the prompt is all of it
                    yield stream.story.text

    @with_settings
    async def stories(
        self,
        prompt: str,
        settings: dict[str, Any],
        model: str | None = None,
        count: int = 8,
        request: gr.Request | None = None,
    ) -> AsyncIterator[list[str]]:
        """Write several stories of one prompt at once, of the seed and those that follow it:
        streams the texts so far; the last value is all of them. On a Space with ZeroGPU they are
        written on a GPU.

        Args:
            prompt: how the stories begin, at most 20,000 characters; may be empty.
            model: a name from the page's list; none for the first.
            count: how many, 1 to 32.
        """
        with refusals(), ExitStack() as held:
            checked = Settings(**settings)
            prompt = checked_text(prompt)
            check_count(count, "count", 1, COUNT_MAX)
            engine = self.page.engine(model)
            for _ in range(count):
                held.enter_context(self.page.visit(request))
            if self.write_on_gpu is None:
                texts = zero_gpu.write(engine, prompt, checked, count)
            else:
                folder = str(engine.storyteller.folder)
                texts = self.write_on_gpu(folder, prompt, checked, count)
            held.callback(texts.close)
            async for batch in iterate_in_threadpool(texts):
                yield batch

    def score(self, text: str, model: str | None = None) -> dict[str, Any]:
        """Return the record of a text that a person wrote: of every token its probability, rank and
        the ten likeliest tokens in its place.

        Args:
            text: at most 20,000 characters.
            model: a name from the page's list; none for the first.
        """
        with refusals():
            return self.page.engine(model).score(checked_text(text)).to_values()

    def candidates(
        self, prompt: str, count: int = 10, model: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the likeliest next tokens after a text, the likeliest first, each with its
        probability.

        Args:
            prompt: the text so far, at most 20,000 characters.
            count: how many, 1 to 200.
            model: a name from the page's list; none for the first.
        """
        with refusals():
            check_count(count, "count", 1, TOP_K_MAX)
            following = self.page.engine(model).candidates([], checked_text(prompt))
            return [
                {
                    "token_id": token.token_id,
                    "text": token.text,
                    "probability": math.exp(token.logit - following.log_total),
                }
                for token in following.candidates[:count]
            ]

    async def branch(
        self,
        story: dict[str, Any] | str,
        position: int,
        token_id: int,
        length: int | None = None,
        model: str | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        """Return the record of a story that branches at one of its tokens: tokens before it stay,
        another token takes its place, and the model continues.

        Args:
            story: a record, as `score` and this endpoint give it, or its JSON text.
            position: which of its tokens is replaced, from 0.
            token_id: the id in its place, for instance one of its alternatives.
            length: tokens to write after it; none for as many as the record's settings say.
            model: a name from the page's list; none for the first.
        """
        with refusals():
            before = Story.from_json(story) if isinstance(story, str) else Story.from_values(story)
            values = asdict(before.settings) | ({} if length is None else {"length": length})
            engine = self.page.engine(model)
            with (
                self.page.visit(request),
                engine.branch(
                    before,
                    whole(position, "position"),
                    whole(token_id, "token_id"),
                    Settings(**values),
                ) as stream,
            ):
                async for _ in self.page.batches([stream]):
                    pass
                return stream.story.to_values()


def check_count(value: Any, name: str, least: int, most: int) -> None:
    """Raise ValueError if a value is not a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, {instead(value)}.")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn errors of a program's user into one message, without a traceback in the log."""
    try:
        yield
    except (ValueError, RuntimeError) as problem:
        title = "Busy" if isinstance(problem, Busy) else "Error"
        raise gr.Error(capitalized(str(problem)), title=title, print_exception=False) from None
