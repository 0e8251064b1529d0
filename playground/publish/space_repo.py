"""A Space's repository: app.py, playground/, what it installs, and its front matter.

The weights are not in it: they are in the model's repository, which the Hub puts into the Space's
cache while it builds. `space.json` names that model, and app.py opens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from playground.publish.staging import Staging

DESCRIPTION = "A tiny model writes stories and shows every word's odds"  # 60 characters at most
DESCRIPTION_MAX = 60
WANTED = re.compile(
    r"app\.py|LICENSE"
    r"|playground/(?!publish/|browser/)(?:[\w-]+/)*[\w-]+\.py|playground/py\.typed"
    r"|playground/web/(?!models/|studio/|train/|vendor/uplot/)(?:[\w-]+/)*[\w.-]+\.(?:js|css|html|json|woff2|txt|webmanifest|png|svg|opf|xhtml|xml)"
    r"|playground/core/built/[\w.-]+\.(?:so|wasm)"  # a Space is a Linux
)


@dataclass(frozen=True)
class Target:
    """A kind of Space.

    Attributes:
        hardware: as the Hub calls it.
        needs: what requirements.txt lists besides the project's own.
        cost: what it takes today, one sentence.
    """

    hardware: str
    needs: tuple[str, ...]
    python: str
    cost: str


TARGETS: Mapping[str, Target] = {
    "cpu": Target(
        "cpu-basic",
        (),  # the core computes the model, without PyTorch
        "3.12",
        "a Gradio Space on a CPU needs a paid plan (PRO) today",
    ),
    "zerogpu": Target(
        "zero-a10g",
        ("torch>=2.8,<2.12",),  # what ZeroGPU supports
        "3.12",
        "a free account may have two Spaces on ZeroGPU today",
    ),
}


def stage(root: Path, name: str, model: str, target: str) -> Staging:
    """The repository of a Space `name` that opens a model of the Hub."""
    found = Staging()
    found.add_folder(root, lambda path: WANTED.fullmatch(path) is not None)
    for made in ("requirements.txt", "README.md"):
        found.left_out.pop(made, None)
    chosen = TARGETS[target]
    found.files["requirements.txt"] = requirements(root, chosen)
    found.files["space.json"] = json.dumps({"model": model}) + "\n"
    found.files["README.md"] = f"{front_matter(name, model, chosen)}\n{about(model)}"
    return found


def requirements(root: Path, target: Target) -> str:
    """The project's requirements and the target's."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    return "\n".join([*target.needs, *kept]) + "\n"


def front_matter(name: str, model: str, target: Target) -> str:
    """Return the front matter that the Hub reads in a Space's README."""
    return f"""\
---
title: {json.dumps(title_of(name))}
emoji: 🖋️
colorFrom: yellow
colorTo: indigo
sdk: gradio
sdk_version: {json.dumps(metadata.version("gradio"))}
python_version: {json.dumps(target.python)}
app_file: app.py
pinned: false
license: apache-2.0
short_description: {json.dumps(DESCRIPTION)}
suggested_hardware: {target.hardware}
models:
- {model}
preload_from_hub:
- {model}
---
"""


def title_of(name: str) -> str:
    """ann/little-fox -> Little Fox."""
    return name.split("/")[-1].replace("-", " ").title()


def about(model: str) -> str:
    """The Space's page of text."""
    return f"""\
# A tiny storyteller

Begin a story, and a small model goes on. Every word shows its odds; choose another one, and the
story turns there. The model is [{model}](https://huggingface.co/{model}), made with Inkling.

Nothing of what visitors write is kept here: a story lives in its writer's browser, and in the links
that they share.
"""
