"""What a person may name as a model, and the folder that is meant by it.

A model folder, a run of the trainer (its export is meant), a LoRA adapter (adapter.py), or a
repository on the Hub (hub.py). What is in another form is refused with a message that says how to
convert it; nothing is opened that could run code, which a pickle can.
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
        ValueError: the model does not exist, or has a form that is not opened; one sentence.
    """
    path = Path(name)
    if path.is_dir():
        folder = path
        if not (path / "config.json").is_file() and (path / "export" / "config.json").is_file():
            folder = path / "export"  # a run's
    elif path.suffix == ".gguf" and path.is_file():
        raise ValueError(gguf_sentence(path))
    elif not path.exists() and hub.is_name(str(name)):
        folder = hub.fetch(str(name))
    else:
        raise ValueError(
            f"there is no model folder {name}: give one that trainer exported, or the name of a "
            "model on the Hub."
        )
    check_form(folder)
    return folder


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter and no model of its own."""
    return (folder / ADAPTER).is_file() and not any(folder.glob("model*.safetensors"))


def check_form(folder: Path) -> None:
    """ValueError for a folder in a form that is not opened."""
    if any(folder.glob("*.safetensors")) and (
        (folder / "config.json").is_file() or is_adapter(folder)
    ):
        return
    if (folder / "checkpoint.json").is_file():
        raise ValueError(
            f"{folder} is a checkpoint of a run, which has no tokenizer: start the run again with "
            "the same settings, and open the export that it ends with."
        )
    for file in sorted(folder.glob("*.gguf")):
        raise ValueError(gguf_sentence(file))
    pickles = sorted(file for file in folder.iterdir() if file.suffix in PICKLES)
    if pickles and not any(folder.glob("*.safetensors")):
        new = f"{folder.name}-safetensors"
        raise ValueError(
            f"{folder} has its weights as a pickle ({pickles[0].name}), which can run code and is "
            "not opened: if you trust it, convert it in Python with "
            f"transformers.{TO_CONVERT.format(str(folder), '', new)}, and copy its tokenizer there."
        )
    if not (folder / "config.json").is_file() and not is_adapter(folder):
        raise ValueError(f"{folder} is not a model folder: it has no config.json.")


def gguf_sentence(file: Path) -> str:
    """Return the message for a GGUF file, with the way to convert it."""
    call = TO_CONVERT.format(str(file.parent), f", gguf_file={file.name!r}", file.stem)
    return (
        f"{file} is a GGUF file, which llama.cpp opens: convert it in Python with transformers."
        f"{call} (needs the package gguf), and the same with AutoTokenizer."
    )
