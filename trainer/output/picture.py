"""Pictures that do not depend on the environment they are drawn in.

`MPLBACKEND` names how a notebook shows pictures. Its kernel hands it on to every process that it
starts, and matplotlib does not import where that backend is not installed. Files need none:
a `Figure` with the Agg canvas draws them, and `pyplot` is never imported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure of that size in inches and its one pair of axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    with without_variable("MPLBACKEND"):  # matplotlib takes a second to import: only here
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


@contextlib.contextmanager
def without_variable(name: str) -> Iterator[None]:
    """Hide a variable of the environment from the block."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value
