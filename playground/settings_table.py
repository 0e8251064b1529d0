"""The table of settings in sampling.py for the page: web/sampling/settings_table.js.

python -m playground.settings_table     writes it anew
"""

from __future__ import annotations

import json
from pathlib import Path

from playground.sampling import ROWS, Row

FILE = Path(__file__).parent / "web" / "sampling" / "settings_table.js"
KINDS = {int: "int", float: "float", bool: "bool", tuple: "words"}


def settings_js() -> str:
    """The module, a row for each setting."""
    lines = ",\n  ".join(json.dumps(values(row)) for row in ROWS)
    return (
        "// Made from the table in playground/sampling.py by python -m playground.settings_table.\n"
        "// `link`: number in links, 0 for none; `neutral`: where it changes nothing; `limits`:\n"
        "// whether it keeps some tokens from being drawn.\n\n"
        f"export const SETTINGS = [\n  {lines},\n];\n"
    )


def values(row: Row) -> dict[str, object]:
    """Return the values of a setting that the page needs."""
    names = ("name", "default", "neutral", "limits", "link", "low", "high", "step", "first")
    return {"kind": KINDS[row.kind]} | {name: getattr(row, name) for name in names}


if __name__ == "__main__":
    FILE.write_text(settings_js(), encoding="utf-8")
