"""Find the folder of a model by its name, and the models in a checkout of the project.

The name can be a model folder, a run of the trainer (for its export), a LoRA adapter (adapter.py)
or a repository on the Hub (hub.py). Models in other formats are refused with the way to convert
them; pickles, which could run code, are never opened.
"""

from __future__ import annotations

from pathlib import Path

from playground.folder import hub

ADAPTER = "adapter_config.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TO_CONVERT = "AutoModelForCausalLM.from_pretrained({0!r}{1}).save_pretrained({2!r})"


def find_folder(name: str | Path) -> Path:
    """Return the folder of a model or an adapter.

    Raises:
        ValueError: the model does not exist, or its format is not supported.
    """
    path = Path(name)
    if path.is_dir():
        folder = path
        if not (path / "config.json").is_file() and (path / "export" / "config.json").is_file():
            folder = path / "export"  # of a run
    elif path.suffix == ".gguf" and path.is_file():
        raise ValueError(gguf_message(path))
    elif not path.exists() and hub.is_name(str(name)):
        folder = hub.fetch(str(name))
    else:
        raise ValueError(
            f"there is no model folder {name}: give an export of the trainer, or the name of a "
            "model on the Hub."
        )
    check_format(folder)
    return folder


def is_adapter(folder: Path) -> bool:
    """Return whether a folder has an adapter and no complete model."""
    return (folder / ADAPTER).is_file() and not any(folder.glob("model*.safetensors"))


def check_format(folder: Path) -> None:
    """Raise ValueError for a folder in an unsupported format."""
    if any(folder.glob("*.safetensors")) and (
        (folder / "config.json").is_file() or is_adapter(folder)
    ):
        return
    if (folder / "checkpoint.json").is_file():
        raise ValueError(
            f"{folder} is a checkpoint, which has no tokenizer: repeat the run's command, and open "
            "the export that it writes at the end."
        )
    for file in sorted(folder.glob("*.gguf")):
        raise ValueError(gguf_message(file))
    pickles = sorted(file for file in folder.iterdir() if file.suffix in PICKLES)
    if pickles and not any(folder.glob("*.safetensors")):
        new = f"{folder.name}-safetensors"
        raise ValueError(
            f"{folder} has its weights as a pickle ({pickles[0].name}), which could run code and "
            "is not opened: if you trust it, convert it in Python with "
            f"transformers.{TO_CONVERT.format(str(folder), '', new)}, and copy its tokenizer there."
        )
    if not (folder / "config.json").is_file() and not is_adapter(folder):
        raise ValueError(f"{folder} is not a model folder: it has no config.json.")


def gguf_message(file: Path) -> str:
    """Return the error message for a GGUF file, with the command to convert it."""
    call = TO_CONVERT.format(str(file.parent), f", gguf_file={file.name!r}", file.stem)
    return (
        f"{file} is a GGUF file, which llama.cpp opens: convert it in Python with transformers."
        f"{call} (needs the package gguf), and the same with AutoTokenizer."
    )


def exports(root: Path, runs: Path | None = None) -> list[Path]:
    """Return the exports of runs, the newest first, then the shipped model. `runs`: the folder of
    runs, by default runs/."""
    configs = (root / "runs" if runs is None else runs).glob("*/export/config.json")
    folders = [config.parent for config in configs]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    shipped = root / "models" / "storyteller"
    return [*folders, *([shipped] if shipped.is_dir() else [])]
