"""What follows from the table of settings: the page's sliders.

python -m tests.playground.test_settings_table     writes them anew
"""

import json
from pathlib import Path

from playground.sampling import NUMBERS

ROOT = Path(__file__).resolve().parents[2]


def sliders_js() -> str:
    """web/sliders.js: those that come first, then those under "More"."""
    rows = sorted((row for row in NUMBERS if row.step), key=lambda row: not row.first)
    lines = [
        json.dumps(
            {"name": row.name, "low": row.low, "high": row.high, "step": row.step}
            | {"value": row.default, "first": row.first}
        )
        for row in rows
    ]
    return (
        "// Made from the table in playground/sampling.py by\n"
        "// python -m tests.playground.test_settings_table\n\n"
        "export const SLIDERS = [\n  " + ",\n  ".join(lines) + ",\n];\n"
    )


FILE = ROOT / "playground/web/sliders.js"


def test_the_sliders_are_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == sliders_js()


if __name__ == "__main__":
    FILE.write_text(sliders_js(), encoding="utf-8")
