"""What follows from the table of settings: the page's sliders and README's table.

python -m tests.playground.test_settings_table     writes both anew
"""

import json
from pathlib import Path

import pytest

from playground.sampling import NUMBERS, ROWS

ROOT = Path(__file__).resolve().parents[2]
HEAD = "| setting | range | what it does |\n|---|---|---|\n"


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


def readme() -> str:
    """README with the table as it should be."""
    before, after = (ROOT / "README.md").read_text(encoding="utf-8").split(HEAD)
    _, _, rest = after.partition("\n\n")
    table = "".join(
        f"| `{row.name}` | {f'{row.low:,} to {row.high:,}' if row in NUMBERS else ''} "
        f"| {row.meaning} (default: {json.dumps(row.default)}) |\n"
        for row in ROWS
    )
    return f"{before}{HEAD}{table}\n{rest}"


FILES = {"playground/web/sliders.js": sliders_js, "README.md": readme}


@pytest.mark.parametrize("name", FILES)
def test_what_follows_from_the_table_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name]()


if __name__ == "__main__":
    for name, made in FILES.items():
        (ROOT / name).write_text(made(), encoding="utf-8")
