"""Opens the index or filter of a path, and finds that of a model."""

from __future__ import annotations

from pathlib import Path

from playground.folder.json_file import read_json
from playground.trace.copied import Tracer
from playground.trace.index import Index
from playground.trace.run_filter import FILE, RunFilter


def open_tracer(path: Path) -> Tracer:
    """Return the index of a store, or a filter: a file, or that in a model's folder.

    Raises:
        ValueError: the path has neither, or it cannot be read.
    """
    if path.is_file():
        return RunFilter(path)
    if (path / "store.json").is_file():
        return Index(path)
    if (path / FILE).is_file():
        return RunFilter(path / FILE)
    raise ValueError(
        f"{path} is neither a store nor a model with {FILE}: give the folder of a store with an "
        "index, such as data/sample-0123456789ab."
    )


def trace_of_model(model: Path) -> Path | None:
    """Return the path that `open_tracer` opens for a model: the store of its training.json if that
    has an index; else the model's folder if it has a filter; else None."""
    return store_of(model) or (model if (model / FILE).is_file() else None)


def store_of(model: Path) -> Path | None:
    """Return the store that a model was trained on, if it has an index; else None."""
    training = read_json(model / "training.json")
    try:
        fingerprint = str(training["corpus"]["fingerprint"])
        settings = training["settings"]["corpus"]
        stores = [Path(settings["source"]), *Path(settings["folder"]).glob(f"*-{fingerprint[:12]}")]
    except (LookupError, TypeError, ValueError, OSError):
        return None
    for store in stores:
        is_same = read_json(store / "store.json").get("fingerprint") == fingerprint
        if is_same and (store / "index" / "index.json").is_file():
            return store
    return None
