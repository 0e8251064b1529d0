"""What an export says of itself: training.json for programs, the model card for people."""

from __future__ import annotations

import json
import platform
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

import trainer

FORMAT = 1
TINY_STORIES = ("roneneldan/TinyStories", "gpt4")  # corpus.source: the Hub's data set
TINY_STORIES_LICENSE = "cdla-sharing-1.0"
PATHS = (
    ("run", "dir"),
    ("model", "init_from"),
    ("corpus", "source"),
    ("corpus", "validation"),
    ("corpus", "folder"),
    ("corpus", "tokenizer"),
    ("runtime", "deepspeed_config"),
)
SAMPLING = {"temperature": 0.8, "top_k": 40, "length": 200}


def describe(model: PreTrainedModel, settings: dict[str, Any], **known: Any) -> dict[str, Any]:
    """The content of training.json: `known` holds name, preset, corpus, steps, tokens_seen and
    validation. Names and licences are those of the settings; the Hub's TinyStories have theirs."""
    run = settings["run"]
    corpus = known["corpus"] | {
        "name": run["corpus_name"] or known["corpus"]["name"],
        "license": run["corpus_license"]
        or (TINY_STORIES_LICENSE if read_tiny_stories(settings) else None),
    }
    return {
        "format": FORMAT,
        **known,
        "preset": public_path(known["preset"]),
        "corpus": corpus,
        "license": run["license"] or None,
        "settings": without_private_paths(settings),
        "parameters": model.num_parameters(),
        "context": model.config.max_position_embeddings,
        "sampling": SAMPLING,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "software": {
            "inkling": trainer.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def without_private_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as they may be published: of a path that leads through somebody's folders, only
    the file's name; names on the Hub and relative paths as they are."""

    found = {section: dict(keys) for section, keys in settings.items()}
    for section, key in PATHS:
        found[section][key] = ",".join(map(public_path, str(found[section][key]).split(",")))
    return found


def public_path(path: str) -> str:
    """A path without the folders of whoever wrote it; a name on the Hub as it is."""
    leads_elsewhere = path.startswith(("~", "..")) or PurePath(path).is_absolute()
    return PurePath(path).name if leads_elsewhere else path


def read_tiny_stories(settings: dict[str, Any]) -> bool:
    """Whether the run learned from the Hub's data set."""
    return settings["corpus"]["source"] in TINY_STORIES


def write_card(folder: Path, training: dict[str, Any]) -> None:
    """Write training.json and the model card that says the same in words."""
    (folder / "training.json").write_text(json.dumps(training, indent=1), encoding="utf-8")
    (folder / "README.md").write_text(card(folder, training), encoding="utf-8")


def movers(optim: dict[str, Any]) -> str:
    """Which optimizer moved what, and its rate."""
    if optim["optimizer"] == "muon":
        return f"Muon in the blocks, {optim['muon_lr']:g}; AdamW elsewhere, {optim['lr']:g}"
    return f"AdamW, {optim['lr']:g}"


def card(folder: Path, training: dict[str, Any]) -> str:
    """The model card, in the Hub's form."""
    corpus, model, optim = (
        training["corpus"],
        training["settings"]["model"],
        training["settings"]["optim"],
    )
    facts = [
        ("parameters", f"{training['parameters']:,}"),
        (
            "block",
            f"{model['block']}: {model['num_layers']} layers, hidden {model['hidden']}, "
            f"{model['num_heads']} heads",
        ),
        ("context", f"{training['context']} tokens"),
        *([("started from", model["init_from"])] if model.get("init_from") else []),
        ("tokenizer", corpus["tokenizer"]),
        ("stories", f"{corpus['stories']:,} ({corpus['tokens']:,} tokens) of {corpus['name']}"),
        ("training", f"{training['steps']:,} steps, {training['tokens_seen']:,} tokens"),
        (
            "optimizer",
            f"{movers(optim)} highest learning rate, weight decay {optim['weight_decay']:g}",
        ),
        ("dropout", f"{model['dropout']:g}"),
    ]
    judged = training["validation"]
    if judged:
        facts += [
            ("judged on", f"{judged['stories']:,} stories of {judged['file']}"),
            ("nats per token", f"{judged['nats_per_token']:.4f}"),
            ("perplexity", f"{judged['perplexity']:.3f}"),
            ("bits per byte", f"{judged['bits_per_byte']:.4f}"),
        ]
    else:
        facts.append(("judged on", "nothing: no stories were kept apart"))
    table = "\n".join(f"| {name} | {value} |" for name, value in facts)
    curve = (
        "\n![training and validation loss over the steps](curve.png)\n"
        if (folder / "curve.png").exists()
        else ""
    )
    return f"""---
{front_matter(training)}
---

# {training["name"]}

A small decoder that writes short stories in simple English, trained with Inkling.

| | |
|---|---|
{table}

Each story is scored from its own start after the end-of-text token, its end included, long ones
by a sliding window, in fp32; bits per byte divide by the UTF-8 bytes of the stories.
{curve}
## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("this folder")
model = AutoModelForCausalLM.from_pretrained("this folder")
start = tokenizer("Once upon a time", return_tensors="pt")
print(tokenizer.decode(model.generate(**start)[0]))
```

## Limits

It knows the world of {world(training)} and nothing else: no facts, no
long plots. It was not made safe for children; read along.
"""


def front_matter(training: dict[str, Any]) -> str:
    """The card's data for the Hub: only what the settings say of licence and stories."""
    tiny_stories = read_tiny_stories(training["settings"])
    lines = [f"license: {training['license']}"] if training["license"] else []
    lines += ["language: en"] if training["settings"]["corpus"]["english"] else []
    lines += ["library_name: transformers", "pipeline_tag: text-generation"]
    if tiny_stories:
        lines += ["datasets:", f"- {TINY_STORIES[0]}"]
    lines += ["tags:", *(["- tinystories"] if tiny_stories else []), "- story-generation"]
    return "\n".join(lines)


def world(training: dict[str, Any]) -> str:
    """What the model learned from, with its authors or licence."""
    corpus = training["corpus"]
    name = f"its stories ({corpus['name']})"
    if read_tiny_stories(training["settings"]):
        name = "the TinyStories data (Ronen Eldan and Yuanzhi Li)"
    return name + (f", licence {corpus['license']}," if corpus["license"] else "")
