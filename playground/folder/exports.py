"""The models in a checkout of the project."""

from __future__ import annotations

from pathlib import Path


def exports(root: Path, runs: Path | None = None) -> list[Path]:
    """Return the exports of runs, the newest first, then the shipped model. `runs`: the folder of
    runs, by default runs/."""
    configs = (root / "runs" if runs is None else runs).glob("*/export/config.json")
    folders = [config.parent for config in configs]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    shipped = root / "models" / "storyteller"
    return [*folders, *([shipped] if shipped.is_dir() else [])]
