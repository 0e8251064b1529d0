"""A static Space's repository: the page that writes in its visitor's browser."""

from __future__ import annotations

import json

from playground.publish.space_repo import DESCRIPTION, title_of
from playground.publish.staging import Staging

COST = "free for every account: the page writes in its visitor's browser"


def stage(name: str, export: str, model: str, weights: str) -> Staging:
    """The repository of a static Space `name`.

    Args:
        export: the model that is packed: a folder, or a repository on the Hub.
        model: the repository on the Hub that the card names.
        weights: "fp16" or "int8".

    Raises:
        ValueError: the page cannot compute the model; one sentence.
    """
    # They import PyTorch and transformers, which takes seconds: a slip is told before.
    from playground.browser.build import page_of
    from playground.folder.model_folder import ModelFolder

    page = page_of(
        ModelFolder.open(export, device="cpu"),
        weights=weights,
        address=f"https://huggingface.co/spaces/{name}?story=",  # the Space's own, not its frame's
    )
    found = Staging()
    found.files |= page.files
    found.files["README.md"] = card(name, model)
    return found


def card(name: str, model: str) -> str:
    """The front matter, and the Space's page of text."""
    return f"""\
---
title: {json.dumps(title_of(name))}
emoji: 🖋️
colorFrom: yellow
colorTo: indigo
sdk: static
app_file: index.html
pinned: false
license: apache-2.0
short_description: {json.dumps(DESCRIPTION)}
models:
- {model}
---

# A tiny storyteller

Begin a story, and a small model continues it in your own browser: nothing that you write leaves it.
Every word shows its odds; choose another, and a new branch begins there. After the first visit the
page opens without a connection too. The model is [{model}](https://huggingface.co/{model}), made
with Inkling.
"""
