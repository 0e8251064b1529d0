"""Export a run that has not ended: `python -m trainer.export model RUN FOLDER`.

The export is of the newest checkpoint, while the run trains or after it was stopped, and lacks only
the evaluation of a finished run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.corpus.store.token_store import find_store
from trainer.export.complete import complete
from trainer.export.model_card import describe
from trainer.export.transformers_folder import export
from trainer.model.load import open_model
from trainer.settings.command_line import parse
from trainer.storage import checkpoint, run_folder
from trainer.storage.resume import updated_settings
from trainer.storage.run_state import STATE


def export_checkpoint(run: Path, folder: Path, stores: Path | None = None) -> int:
    """Write the model of the newest checkpoint of `run` to `folder`, and return its step. `stores`:
    the folder of token stores; None for the run's setting.

    Raises:
        ValueError: the folder is not a run's, it has no checkpoint, or its token store is gone.
    """
    paths = checkpoint.paths(run / run_folder.CHECKPOINTS) if run_folder.is_run(run) else []
    if not paths:
        raise ValueError(f"{run} is not the folder of a run with a checkpoint: name such a folder")
    if folder.exists() and not (folder / run_folder.MARK).is_file():
        raise ValueError(f"{folder} exists and is not an export: name a folder that is new")
    newest, state = paths[-1], state_of(run)
    about = checkpoint.about(newest)
    settings = settings_of(about["identity"], state)
    stores = stores or Path(state.get("folder", ""), settings["corpus"]["folder"]).expanduser()
    model, _ = open_model(newest, stores=stores)
    store = find_store(stores, about["identity"]["corpus"]["fingerprint"])
    assert store is not None  # open_model has found it
    step, preset = int(about["step"]), str(state.get("preset", run.resolve().name))
    training = describe(
        model,
        settings,
        name=run.resolve().name,
        preset=preset,
        corpus=store.summary("train"),
        steps=step,
        tokens_seen=step * settings["optim"]["global_batch"] * settings["model"]["context"],
        validation=None,
    )
    export(folder, model, store.tokenizer, training)
    complete(folder, training, run, settings["model"]["init_from"], lambda _: None)
    return step


def state_of(run: Path) -> dict[str, Any]:
    """Return the content of state.json; empty for a run of an older version."""
    try:
        return dict(json.loads((run / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def settings_of(identity: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Return all settings of a run: from its checkpoint, else from its state, else defaults."""
    settings = {name: dict(keys) for name, keys in parse([]).to_dict().items()}
    for source in (state.get("settings", {}), updated_settings(identity)):
        for section, keys in source.items():
            if section in settings:
                settings[section] |= {
                    key: value for key, value in keys.items() if key in settings[section]
                }
    return settings
