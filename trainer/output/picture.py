"""Pictures that do not depend on the environment they are drawn in.

`MPLBACKEND` names how a notebook shows pictures. Its kernel hands it on to every process that it
starts, and matplotlib does not import where that backend is not installed. Files need none:
a `Figure` with the Agg canvas draws them, and `pyplot` is never imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure of that size in inches and its one pair of axes. Raises ImportError if
    matplotlib is not installed."""
    with without_variable("MPLBACKEND"):  # matplotlib takes a second to import: only here
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


@contextlib.contextmanager
def drawn(file: Path, *, legend: bool = False, **labels: Any) -> Iterator[Any]:
    """Yield the axes of a picture, which is written to `file` when the block ends (PNG).

    `labels` are the properties of the axes, such as xlabel.
    """
    figure, axes = new_figure(8, 4.5)
    yield axes
    axes.set(**labels)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False)
    figure.savefig(file, dpi=110, format="png")


@contextlib.contextmanager
def without_variable(name: str) -> Iterator[None]:
    """Hide a variable of the environment from the block."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value
