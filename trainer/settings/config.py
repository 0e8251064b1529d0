"""All settings of a run: one frozen dataclass per section, every key with its meaning and unit.

A key is defined once, in its section: preset files, command line (`--section.key value`), help and
`training.json` follow from these classes. All values are checked together, and every error names
its key.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.settings.corpus import Corpus
from trainer.settings.model import Model
from trainer.settings.optim import Optim
from trainer.settings.run import Run
from trainer.settings.runtime import Runtime


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    preset: str
    run: Run
    corpus: Corpus
    model: Model
    optim: Optim
    runtime: Runtime
    given: frozenset[str] = frozenset()  # settings in the command line or in the user's preset file

    def __post_init__(self) -> None:
        complaints: list[str] = []
        for section in SECTIONS:
            part = getattr(self, section)
            for key in dataclasses.fields(part):
                choices, value = key.metadata["choices"], getattr(part, key.name)
                if isinstance(value, float) and not math.isfinite(value):
                    complaints.append(f"{section}.{key.name} must be a finite number, not {value}")
                    continue
                if choices and value not in choices:
                    complaints.append(
                        f"{section}.{key.name} must be one of {', '.join(choices)}, not {value!r}"
                    )
            complaints += part.complaints()
        if complaints:
            raise ValueError("; ".join(complaints))

    @property
    def name(self) -> str:
        """Return the run's name: its preset, without the path and ending of a file."""
        return Path(self.preset).stem

    @property
    def folder(self) -> Path:
        """Return the run's folder."""
        return Path(self.run.dir or f"runs/{self.name}").expanduser()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings as plain values, a dictionary per section."""
        return {section: dataclasses.asdict(getattr(self, section)) for section in SECTIONS}


SECTIONS: dict[str, type] = {
    "run": Run,
    "corpus": Corpus,
    "model": Model,
    "optim": Optim,
    "runtime": Runtime,
}
