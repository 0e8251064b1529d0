"""Which parts of a story stand in the training stories: for programs and for the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playground.sampling import instead
from playground.server.api import refusals
from playground.server.page_calls import PageCalls, checked_text
from playground.trace.copied import Trace, utf16_length
from playground.trace.find import open_tracer, trace_of_model

SOURCES_MAX = 20
SOURCES_SHOWN = 5  # on the page, for each run


class TraceApi:
    """The endpoints. An index is opened at its first use."""

    def __init__(self, page: PageCalls, path: Path | None) -> None:
        """`page`: has the models. `path`: the store or the filter for all of them; None for each
        model's own.

        Raises:
            ValueError: `path` cannot be opened.
        """
        self.page, self.path = page, path
        self.tracer = cache(open_tracer)
        if path is not None:
            self.tracer(path)

    def trace(self, text: str, sources: int = 3, model: str | None = None) -> dict[str, Any]:
        """Return the parts of a text that stand word for word in a model's training stories:
        `runs`, each from character `start` to `end` with some training stories that hold it, and
        the `share` of the words that they cover.

        Args:
            text: at most 20,000 characters.
            sources: training stories for each run, 0 to 20. A filter of runs knows none.
            model: a name from the page's list; none for the first.
        """
        with refusals():
            if isinstance(sources, bool) or not isinstance(sources, int):
                raise ValueError(f"sources must be a whole number, {instead(sources)}.")
            if not 0 <= sources <= SOURCES_MAX:
                raise ValueError(f"sources must be from 0 to {SOURCES_MAX}, {instead(sources)}.")
            return self.traced(text, sources, model).described()

    def page_trace(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Like `trace`, for the page: {text, model}. Positions are in UTF-16 code units, as
        JavaScript counts."""
        values = self.traced(asked.get("text"), SOURCES_SHOWN, asked.get("model")).described()
        for run in values["runs"]:
            for bound in ("start", "end"):
                run[bound] = utf16_length(values["text"][: run[bound]])
        return values

    def traced(self, text: Any, sources: int, model: Any) -> Trace:
        """Return the trace of a text; ValueError if the model has no index."""
        checked = checked_text(text)
        folder = self.page.engine(model).storyteller.folder
        path = self.path or trace_of_model(folder)
        if path is None:
            raise ValueError(
                "There is no index of this model's training stories: make one with python -m"
                " trainer.corpus index STORE, and open it with app.py --trace STORE."
            )
        return self.tracer(path).trace(checked, sources)
