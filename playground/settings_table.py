"""What follows from the table of settings in sampling.py: web/settings_table.js and README's table.

python -m playground.settings_table     writes both anew
"""

from __future__ import annotations

import json
from pathlib import Path

from playground.sampling import NUMBERS, ROWS, Row

ROOT = Path(__file__).resolve().parents[1]
HEAD = "| setting | range | what it does |\n|---|---|---|\n"
KINDS = {int: "int", float: "float", bool: "bool", tuple: "words"}


def settings_js() -> str:
    """web/settings_table.js, a row for each setting."""
    lines = ",\n  ".join(json.dumps(values(row)) for row in ROWS)
    return (
        "// Made from the table in playground/sampling.py by python -m playground.settings_table.\n"
        "// `link`: number in links, 0 for none; `neutral`: where it changes nothing; `limits`:\n"
        "// whether it keeps some tokens from being drawn.\n\n"
        f"export const SETTINGS = [\n  {lines},\n];\n"
    )


def values(row: Row) -> dict[str, object]:
    """What the page knows of a setting."""
    names = ("name", "default", "neutral", "limits", "link", "low", "high", "step", "first")
    return {"kind": KINDS[row.kind]} | {name: getattr(row, name) for name in names}


def markdown() -> str:
    """The table for people."""
    rows = (
        f"| `{row.name}` | {f'{row.low:,} to {row.high:,}' if row in NUMBERS else ''} "
        f"| {row.meaning} (default: {json.dumps(row.default)}) |\n"
        for row in ROWS
    )
    return HEAD + "".join(rows)


def readme() -> str:
    """README with the table as it should be."""
    before, after = (ROOT / "README.md").read_text(encoding="utf-8").split(HEAD)
    _, _, rest = after.partition("\n\n")
    return f"{before}{markdown()}\n{rest}"


FILES = {"playground/web/settings_table.js": settings_js, "README.md": readme}


if __name__ == "__main__":
    for name, made in FILES.items():
        (ROOT / name).write_text(made(), encoding="utf-8")
