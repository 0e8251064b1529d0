"""A model repository: an export's files, and its card with the repository's name."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from playground.publish.staging import Staging

FILES = re.compile(
    r"(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab|training"
    r"|history|added_tokens|model\.safetensors\.index)\.json"
    r"|model(?:-\d+-of-\d+)?\.safetensors|merges\.txt|tokenizer\.model|curve\.png|LICENSE(?:\.\w+)?"
    r"|training_runs\.filter"
)
SNAPSHOT = re.compile(
    r"snapshots/step-\d+/(?:(?:config|generation_config|snapshot|tokenizer|tokenizer_config)\.json"
    r"|model\.safetensors)"
)
OPENINGS = ("Once upon a time", "One day, a little girl named Lily", "Tom and his dog")
SAMPLES_HEADING = "## Samples"
MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+.!|~^&$=:-])")  # what Markdown could take for its own


def stage(export: Path, name: str, *, snapshots: bool, samples: list[tuple[str, str]]) -> Staging:
    """The repository `name` of an export. `samples`: (settings in words, story), as they came.

    Raises:
        ValueError: the folder is not a model, or a card is missing.
    """
    card = export / "README.md"
    if not card.is_file():
        raise ValueError(
            f"{export} has no README.md, the model's card: export the run again, or write one."
        )
    found = Staging()

    def is_wanted(path: str) -> bool:
        is_snapshot = snapshots and SNAPSHOT.fullmatch(path) is not None
        return FILES.fullmatch(path) is not None or is_snapshot

    found.add_folder(export, is_wanted)
    found.left_out.pop("README.md", None)  # it is published with the repository's name
    if not any(path.endswith(".safetensors") for path in found.files):
        raise ValueError(f"{export} holds no model.safetensors: give the folder of an export.")
    found.files["README.md"] = model_card(card.read_text(encoding="utf-8"), name, samples)
    return found


def has_samples(export: Path) -> bool:
    """Whether the export's card has sample stories, as those that the trainer writes have."""
    card = export / "README.md"
    return card.is_file() and SAMPLES_HEADING in card.read_text(encoding="utf-8")


def model_card(text: str, name: str, samples: list[tuple[str, str]]) -> str:
    """An export's card for the Hub: with the repository's name, and samples if it has none."""
    from huggingface_hub import ModelCard

    card = ModelCard(text, ignore_metadata_errors=True)
    data: Any = card.data
    if data.eval_results:
        data.model_name = PurePosixPath(name).name
    body = card.text.replace('"this folder"', f'"{name}"').rstrip("\n")
    if samples and SAMPLES_HEADING not in body:
        parts = [f"**{said}**\n\n{quoted(story)}" for said, story in samples]
        body += f"\n\n{SAMPLES_HEADING}\n\nThe first try of each, not picked.\n\n" + "\n\n".join(
            parts
        )
    card.text = body + "\n"
    return str(card)


def quoted(story: str) -> str:
    """A story as a quotation in Markdown, in which its own signs are text."""
    text = MARKUP.sub(r"\\\1", story)
    return "\n>\n".join(f"> {line}" for line in text.split("\n") if line.strip())
