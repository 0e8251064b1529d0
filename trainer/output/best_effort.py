"""What a run can do without: its failure is one warning, and the work continues."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


def to_stderr(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


@contextlib.contextmanager
def best_effort(what: str, say: Callable[[str], None] = to_stderr) -> Iterator[None]:
    """Run the block; whatever it raises becomes one warning that `what` is left out.

    Only for what the model and its checkpoints do not depend on: a curve, a sample, a report. Every
    kind of error is meant, from a full disk to a bug of a drawing library; Ctrl-C stops the run.
    """
    try:
        yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        say(f"warning: {what} is left out ({reason})")
