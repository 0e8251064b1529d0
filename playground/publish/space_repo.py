"""Stage a Gradio Space's repository: app.py, playground/, requirements and front matter.

The weights stay in the model's repository, which the Hub downloads into the Space's cache when it
builds the Space. `space.json` names that model, and app.py opens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from playground.publish.staging import Staging

DESCRIPTION = "A tiny model writes stories and shows every word's odds"  # 60 characters at most
WANTED = re.compile(
    r"app\.py|LICENSE"
    r"|playground/(?!publish/|browser/)(?:[\w-]+/)*[\w-]+\.py|playground/py\.typed"
    r"|playground/web/(?!models/|studio/|train/|vendor/uplot/)(?:[\w-]+/)*[\w.-]+\.(?:js|css|html|json|woff2|txt|webmanifest|png|svg|opf|xhtml|xml)"
    r"|playground/core/built/[\w.-]+\.(?:so|wasm)"  # Spaces run on Linux
)


@dataclass(frozen=True)
class Target:
    """A kind of Space.

    Attributes:
        hardware: the Hub's name of it.
        needs: requirements besides the project's own.
        cost: the plan that it requires today, for --help.
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
    """Return the staged repository of a Space `name` that opens a model of the Hub."""
    staging = Staging()
    staging.add_folder(root, lambda path: WANTED.fullmatch(path) is not None)
    for generated in ("requirements.txt", "README.md"):
        staging.left_out.pop(generated, None)
    chosen = TARGETS[target]
    staging.files["requirements.txt"] = requirements(root, chosen)
    staging.files["space.json"] = json.dumps({"model": model}) + "\n"
    matter = front_matter(
        name,
        model,
        sdk="gradio",
        sdk_version=metadata.version("gradio"),
        python_version=chosen.python,
        app_file="app.py",
        suggested_hardware=chosen.hardware,
        preload_from_hub=[model],
    )
    staging.files["README.md"] = f"{matter}\n{about(model)}"
    return staging


def requirements(root: Path, target: Target) -> str:
    """Return the Space's requirements.txt: those of the target and of the project."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    return "\n".join([*target.needs, *kept]) + "\n"


def front_matter(name: str, model: str, **about: Any) -> str:
    """Return the front matter that the Hub reads in a Space's README. `about`: more of its keys."""
    from huggingface_hub import SpaceCardData

    data = SpaceCardData(
        title=name.split("/")[-1].replace("-", " ").title(),  # "Little Fox" for ann/little-fox
        emoji="🖋️",
        colorFrom="yellow",
        colorTo="indigo",
        pinned=False,
        license="apache-2.0",
        short_description=DESCRIPTION,
        models=[model],
        **about,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def about(model: str) -> str:
    """Return the text of the Space's README."""
    return f"""\
# A tiny storyteller

Start a story, and a small model continues it. See how likely every word was; choose another word to
start a new branch. The model is [{model}](https://huggingface.co/{model}), made with Inkling.

The server keeps nothing that visitors write: a story stays in its writer's browser, and in the
links that they share.
"""
