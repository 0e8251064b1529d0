"""The description of an export: training.json for programs, the model card for people."""

from __future__ import annotations

import json
import platform
import re
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import Any

import torch
import transformers
import yaml
from transformers import PreTrainedModel

import trainer
from trainer.evaluate.continuations import SAMPLED
from trainer.evaluate.prose import Measures, Prose
from trainer.evaluate.report.tables import characters_table, markdown_table, prose_table, spread
from trainer.settings.optim import OPTIMIZERS
from trainer.settings.setting import PATHS
from trainer.storage.atomic import atomic_file

FORMAT = 1
CARD = "README.md"
TINY_STORIES = ("roneneldan/TinyStories", "gpt4")  # corpus.source: the Hub's data set
TINY_STORIES_LICENSE = "cdla-sharing-1.0"
SAMPLING = {"temperature": SAMPLED.temperature, "top_k": SAMPLED.top_k, "length": 200}


def describe(model: PreTrainedModel, settings: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return the content of training.json: `facts` holds name, preset, corpus, steps,
    tokens_seen and validation. Names and licences come from the settings; the Hub's TinyStories
    have their own."""
    run = settings["run"]
    corpus = facts["corpus"] | {
        "name": run["corpus_name"] or facts["corpus"]["name"],
        "license": run["corpus_license"]
        or (TINY_STORIES_LICENSE if read_tiny_stories(settings) else None),
    }
    return {
        "format": FORMAT,
        **facts,
        "preset": public_path(facts["preset"]),
        "corpus": corpus,
        "license": run["license"] or None,
        "settings": without_private_paths(settings),
        "started_from": started_from(settings["model"]["init_from"]),
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


def started_from(name: str) -> dict[str, Any] | None:
    """Return the model that a run started from, and the tokens that this model and its predecessors
    had trained on (None if unknown); None for a run from scratch."""
    if not name:
        return None
    try:
        before = json.loads((Path(name).expanduser() / "training.json").read_text(encoding="utf-8"))
        earlier = before.get("started_from") or {}
        tokens = before["tokens_seen"] + (earlier.get("tokens_seen") or 0)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        tokens = None
    return {"name": public_path(name), "tokens_seen": tokens}


def without_private_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings for publication: paths outside the working directory become file names;
    names on the Hub and relative paths stay."""
    public = {section: dict(keys) for section, keys in settings.items()}
    for section, key in (name.split(".") for name in PATHS):
        paths = map(str.strip, str(public[section].get(key, "")).split(","))
        public[section][key] = ",".join(map(public_path, paths))
    return public


def public_path(path: str) -> str:
    """Return a path without the folders of its author; a name on the Hub as it is."""
    leads_elsewhere = path.startswith(("~", "..")) or PurePath(path).is_absolute()
    return PurePath(path).name if leads_elsewhere else path


def read_tiny_stories(settings: dict[str, Any]) -> bool:
    """Return whether the run learned from the Hub's data set."""
    return settings["corpus"]["source"] in TINY_STORIES


def write_training(folder: Path, training: dict[str, Any]) -> None:
    """Write training.json."""
    with atomic_file(folder / "training.json") as partial:
        partial.write_text(json.dumps(training, indent=1), encoding="utf-8")


def write_card(folder: Path, training: dict[str, Any]) -> None:
    """Write the model card, the content of training.json for people."""
    with atomic_file(folder / CARD) as partial:
        partial.write_text(model_card(folder, training), encoding="utf-8")


def optimizers(optim: dict[str, Any]) -> str:
    """Return the optimizers, their weights and their rates, for people."""

    def described(kind: str, where: str = "") -> str:
        name = {"adamw": "AdamW"}.get(kind, kind.capitalize())
        return f"{name}{where}, {optim['muon_lr' if kind == 'muon' else 'lr']:g}"

    kinds = OPTIMIZERS[optim["optimizer"]]
    if kinds.inside_layers == kinds.elsewhere:
        return described(kinds.elsewhere)
    inside = described(kinds.inside_layers, " in the blocks")
    return f"{inside}; {described(kinds.elsewhere, ' elsewhere')}"


def facts(training: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows on the model and its training."""
    corpus, settings = training["corpus"], training["settings"]
    model, optim = settings["model"], settings["optim"]
    kv_heads = model.get("kv_heads") or model["num_heads"]
    grouped = f" ({kv_heads} of keys and values)" if kv_heads != model["num_heads"] else ""
    rows = [
        ("parameters", f"{training['parameters']:,}"),
        (
            "block",
            f"{model['block']}: {model['num_layers']} layers, hidden {model['hidden']}, "
            f"{model['num_heads']} heads{grouped}",
        ),
        ("context", f"{training['context']} tokens"),
    ]
    if before := training.get("started_from"):
        tokens = before["tokens_seen"]
        more = f", which had trained on {tokens:,} tokens" if tokens else ""
        rows.append(("started from", f"{before['name']}{more}"))
    if names := model.get("teachers"):
        share = f"{100 * optim['teacher_weight']:g} % of the loss"
        rows.append(("taught by", f"{', '.join(names.split(','))} ({share})"))
    return [
        *rows,
        ("tokenizer", corpus["tokenizer"]),
        ("stories", f"{corpus['stories']:,} ({corpus['tokens']:,} tokens) of {corpus['name']}"),
        ("training", f"{training['steps']:,} steps, {training['tokens_seen']:,} tokens"),
        (
            "optimizer",
            f"{optimizers(optim)} highest learning rate, weight decay {optim['weight_decay']:g}",
        ),
        ("dropout", f"{model['dropout']:g}"),
    ]


def model_card(folder: Path, training: dict[str, Any]) -> str:
    """Return the model card, in the Hub's form."""
    rows = [("", ""), *facts(training), *evaluated(training["validation"])]
    prose = training.get("prose") or []
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
{copying_warning(prose)}
{markdown_table(rows)}

Each story is scored from its own start after the end-of-text token, its end included, long ones
by a sliding window, in fp32; bits per byte divide by the UTF-8 bytes of the stories.
Intervals are 95 %, of drawing other stories (bootstrap).
{curve}{how_it_writes(prose)}{characters(training.get("characters") or [])}{samples(training)}
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


def evaluated(evaluation: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return the rows of the evaluation."""
    if not evaluation:
        return [("evaluated with", "nothing: no stories were held out, or evaluating failed")]
    return [
        ("evaluated with", f"{evaluation['stories']:,} stories of {evaluation['file']}"),
        ("nats per token", spread(evaluation["nats_per_token"], evaluation["nats_interval"], 4)),
        ("perplexity", spread(evaluation["perplexity"], evaluation["perplexity_interval"], 3)),
        ("bits per byte", spread(evaluation["bits_per_byte"], evaluation["bits_interval"], 4)),
    ]


def copying_warning(prose: list[dict[str, Any]]) -> str:
    """Return the warning for a model that copies."""
    much = [
        f"{way['written']['copied']:.1%} of its 8-word runs at {way['sampling']} are in the "
        f"training stories; of true stories that it has not read, {way['true']['copied']:.1%} are"
        for way in prose
        if copies(way)
    ]
    return f"\n**It copies: {'; '.join(much)}.**\n" if much else ""


def copies(way: dict[str, Any]) -> bool:
    """Return whether a model's 8-word runs are in the training stories more than twice as often as
    those of true stories, and more than twice as often as in stories that it has not read."""
    written, true = way["written"], way["true"]
    if (written["copied"] or 0) <= 2 * (true["copied"] or 0):
        return False
    return written.get("drawn") is None or written["drawn"] > 2 * written["unread"]


def how_it_writes(prose: list[dict[str, Any]]) -> str:
    """Return the section with the measures of the model's prose."""
    if not prose:
        return ""
    ways = [
        Prose(**way | {"written": Measures(**way["written"]), "true": Measures(**way["true"])})
        for way in prose
    ]
    return f"""
## How it writes

It continued the first halves of {ways[0].stories:,} of these stories; `true` is how they really
went on.

{markdown_table(prose_table(ways))}

BLEU is of the continuations, cut to the true halves' length ({ways[0].bleu_signature}); a high one
means close to one particular ending, not a good story. Runs that true stories share with the
training stories are those that come by chance.{common_runs(ways[0].compared)}
"""


def common_runs(compared: int) -> str:
    """Return how to read the comparison with stories that the model has not read."""
    if not compared:
        return ""
    return f"""
The likeliest text consists of common runs: it is copied only if {compared:,} training stories have
more of its runs than {compared:,} stories that the model has not read."""


def characters(rows: list[dict[str, Any]]) -> str:
    """Return the paragraph and the table on confused characters."""
    if not rows:
        return ""
    return f"""
It continued {rows[0]["stories"]:,} of these stories from "a girl named Lily" or the like on:

{markdown_table(characters_table(rows))}
"""


def samples(training: dict[str, Any]) -> str:
    """Return a section with a story for each prompt."""
    written = training.get("samples") or []
    if not written:
        return ""
    sampling = training["sampling"]
    stories = "\n\n".join(
        quoted(f"**{sample['prompt']}**{plain(sample['story'][len(sample['prompt']) :].rstrip())}")
        for sample in written
    )
    return f"""
## Samples

Not picked: temperature {sampling["temperature"]:g}, top-k {sampling["top_k"]}, the first draw for
each prompt of the run, cut at its `run.sample_length`.

{stories}
"""


def plain(text: str) -> str:
    """Return a text with Markdown's characters escaped."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)


def quoted(text: str) -> str:
    """Return a text as a quotation in Markdown."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def front_matter(training: dict[str, Any]) -> str:
    """Return the card's metadata for the Hub: licence and stories from the settings, and the
    evaluation."""
    tiny_stories = read_tiny_stories(training["settings"])
    metadata = {
        "license": training["license"],
        "language": "en" if training["settings"]["corpus"]["english"] else None,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "datasets": [TINY_STORIES[0]] if tiny_stories else None,
        "tags": [*(["tinystories"] if tiny_stories else []), "story-generation"],
        "model-index": model_index(training),
    }
    filled = {key: value for key, value in metadata.items() if value}
    return yaml.safe_dump(filled, sort_keys=False, allow_unicode=True).rstrip()


def model_index(training: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the scores in the form of the Hub's `model-index`; empty without an evaluation."""
    scores = training["validation"]
    if not scores:
        return []
    stories = TINY_STORIES[0] if read_tiny_stories(training["settings"]) else scores["file"]
    data_set = {
        "name": f"{scores['stories']:,} stories of {scores['file']}",
        "type": re.sub(r"[^\w./-]+", "-", stories),
    }
    metrics = [
        {"type": name, "value": round(scores[name], 6), "name": name.replace("_", " ")}
        for name in ("perplexity", "bits_per_byte", "nats_per_token")
    ]
    result = {"task": {"type": "text-generation"}, "dataset": data_set, "metrics": metrics}
    return [{"name": training["name"], "results": [result]}]


def world(training: dict[str, Any]) -> str:
    """Return the name of the training stories, with authors or licence."""
    corpus = training["corpus"]
    name = f"its stories ({corpus['name']})"
    if read_tiny_stories(training["settings"]):
        name = "the TinyStories data (Ronen Eldan and Yuanzhi Li)"
    return name + (f", licence {corpus['license']}," if corpus["license"] else "")
