"""Stage a static Space's repository: the page that writes in its visitor's browser."""

from __future__ import annotations

from playground.publish.space_repo import front_matter
from playground.publish.staging import Staging

COST = "free for every account: the page writes in its visitor's browser"


def stage(name: str, export: str, model: str, weights: str) -> Staging:
    """Return the staged repository of a static Space `name`.

    Args:
        export: the model to pack: a folder, or a repository on the Hub.
        model: the repository on the Hub that the card names.
        weights: "fp16" or "int8".

    Raises:
        ValueError: the page cannot compute the model.
    """
    # These imports take seconds; a mistake on the command line is reported before.
    from playground.browser.build import page_of
    from playground.folder.model_folder import ModelFolder

    page = page_of(
        ModelFolder.open(export, device="cpu"),
        weights=weights,
        address=f"https://huggingface.co/spaces/{name}?story=",  # of the Space, not of its iframe
    )
    return Staging(files={**page.files, "README.md": card(name, model)})


def card(name: str, model: str) -> str:
    """Return the Space's README: front matter and text."""
    return f"""\
{front_matter(name, model, sdk="static", app_file="index.html")}
# A tiny storyteller

Start a story, and a small model continues it in your own browser: your story never leaves it. See
how likely every word was; choose another word to start a new branch. After the first visit the page
also opens without a connection. The model is [{model}](https://huggingface.co/{model}), made with
Inkling.
"""
