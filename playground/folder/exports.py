"""The models that lie in a checkout."""

from __future__ import annotations

from pathlib import Path


def exports(root: Path, runs: Path | None = None) -> list[Path]:
    """Return the exports of runs, the newest first, then the shipped model. `runs`: where the runs
    are, if not in runs/."""
    place = root / "runs" if runs is None else runs
    found = [config.parent for config in place.glob("*/export/config.json")]
    found.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    shipped = root / "models" / "storyteller"
    return [*found, *([shipped] if shipped.is_dir() else [])]
