"""Write docs/settings.md from the settings of the trainer and of the playground.

    python docs/make_settings.py

tests/test_documents.py compares the file with `page()`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playground.sampling import NUMBERS, SHOWN
from trainer.settings.command_line import DEFAULT_PRESET, load_preset, shipped_presets
from trainer.settings.config import SECTIONS
from trainer.settings.setting import USUAL_NAMES

FILE = Path(__file__).with_name("settings.md")
WIDTH = 120
HEAD = f"""# Settings

This page is written by `python docs/make_settings.py` from the tables in `trainer/settings/` and
`playground/sampling.py`. `python trainer/train.py --help` and
`python -m playground.generate --help` print the same.

## Training

Write `--section.key value` after `trainer/train.py`, or put `section:` and `key: value` lines into
a YAML file and name it with `--preset mine.yaml`. `--preset` also takes a preset that comes with
the project: {", ".join(f"`{name}`" for name in shipped_presets())}. The defaults below are those
of `{DEFAULT_PRESET}`.
"""
WRITING = """
## Writing

The same settings are on the page, in `playground.generate` (`--top-k` for `top_k`), in the
[API](api.md) and in a story's record. A story that is longer than the model's context slides its
window.

| setting | range | default | what it does |
|---|---|---|---|
"""


def training() -> str:
    """The settings of a run: a heading per section, an entry per setting."""
    shipped = load_preset(DEFAULT_PRESET)
    parts = []
    for section, fields in SECTIONS.items():
        about = " ".join((fields.__doc__ or "").split())
        parts.append(f"\n### {section}\n\n{textwrap.fill(about, WIDTH)}\n\n")
        for key in dataclasses.fields(fields):
            default = shipped.get(section, {}).get(key.name, key.default)
            parts.append(entry(f"--{section}.{key.name}", default, key.metadata["meaning"], key))
    return "".join(parts)


def entry(flag: str, default: object, meaning: str, key: dataclasses.Field[object]) -> str:
    """One setting as an item of a list."""
    shown = f"`{json.dumps(default).strip(chr(34))}`" if default != "" else "empty"
    choices = " | ".join(key.metadata["choices"])
    parts = [
        f"**`{flag}`** (default: {shown}): {meaning}.",
        f"One of `{choices}`." if choices else "",
        f"In {key.metadata['unit']}." if key.metadata["unit"] else "",
    ]
    text = " ".join(part for part in parts if part).replace("<", r"\<")
    return (
        textwrap.fill(
            text,
            WIDTH,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
    )


def usual_names() -> str:
    """What other trainers call a setting: a table, one row for each of ours."""
    names = defaultdict(list)
    for usual, ours in USUAL_NAMES.items():
        names[ours].append(f"`{usual}`")
    rows = "".join(f"| `--{ours}` | {', '.join(usual)} |\n" for ours, usual in names.items())
    return (
        "\n### Names in other trainers\n\nThe error for an unknown setting suggests ours.\n\n"
        f"| here | elsewhere |\n|---|---|\n{rows}"
    )


def writing() -> str:
    """The settings of a story: a table."""
    return WRITING + "".join(
        f"| `{row.name}` | {f'{row.low:,} to {row.high:,}' if row in NUMBERS else ''} "
        f"| {json.dumps(row.default)} | {row.meaning} |\n"
        for row in SHOWN
    )


def page() -> str:
    """The whole file."""
    return HEAD + training() + usual_names() + writing()


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
