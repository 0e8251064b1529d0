"""Stage a model repository: an export's files, and its card with the repository's name."""

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
MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+.!|~^&$=:-])")  # characters with a meaning in Markdown


def stage(export: Path, name: str, *, snapshots: bool, samples: list[tuple[str, str]]) -> Staging:
    """Return the staged repository `name` of an export. `samples`: (settings in words, story).

    Raises:
        ValueError: the folder has no model or no card.
    """
    card = export / "README.md"
    if not card.is_file():
        raise ValueError(
            f"{export} has no README.md, the model's card: export the run again, or write one."
        )
    staging = Staging()

    def is_wanted(path: str) -> bool:
        is_snapshot = snapshots and SNAPSHOT.fullmatch(path) is not None
        return FILES.fullmatch(path) is not None or is_snapshot

    staging.add_folder(export, is_wanted)
    staging.left_out.pop("README.md", None)  # staged below
    if not any(path.endswith(".safetensors") for path in staging.files):
        raise ValueError(f"{export} has no model.safetensors: give the folder of an export.")
    staging.files["README.md"] = model_card(card.read_text(encoding="utf-8"), name, samples)
    return staging


def has_samples(export: Path) -> bool:
    """Return whether the export's card has sample stories, as the trainer's cards do."""
    card = export / "README.md"
    return card.is_file() and SAMPLES_HEADING in card.read_text(encoding="utf-8")


def model_card(text: str, name: str, samples: list[tuple[str, str]]) -> str:
    """Return an export's card with the repository's name, and with samples if it has none."""
    from huggingface_hub import ModelCard

    card = ModelCard(text, ignore_metadata_errors=True)
    data: Any = card.data
    if data.eval_results:
        data.model_name = PurePosixPath(name).name
    body = card.text.replace('"this folder"', f'"{name}"').rstrip("\n")
    if samples and SAMPLES_HEADING not in body:
        parts = [f"**{settings}**\n\n{quoted(story)}" for settings, story in samples]
        parts = ["", SAMPLES_HEADING, "The first try of each, not picked.", *parts]
        body += "\n\n".join(parts)
    card.text = body + "\n"
    return str(card)


def quoted(story: str) -> str:
    """Return a story as a Markdown quotation, with its own markup escaped."""
    text = MARKUP.sub(r"\\\1", story)
    return "\n>\n".join(f"> {line}" for line in text.split("\n") if line.strip())
