"""Follows a recipe of docs/extending.md to the letter in a copy of the tree."""

from __future__ import annotations

import re
from pathlib import Path

from tests.paths import ROOT

STEP = re.compile(
    r"^(?:A new file|In) `(?P<file>[^`]+)`"
    r"(?:, (?P<place>after|after each|instead of) `(?P<line>[^`]+)`)?:\n\n"
    r"```\w+\n(?P<code>.*?)```$",
    re.MULTILINE | re.DOTALL,
)


def follow(recipe: str, tree: Path) -> set[str]:
    """Do to a copy of the tree what the page says under the heading `recipe`; return the files
    that it names."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    section = page.split(f"## {recipe}\n")[1].split("\n## ")[0]
    steps = list(STEP.finditer(section))
    assert len(steps) == section.count("```") / 2 > 0
    for step in steps:
        file = tree / step["file"]
        if step["place"] is None:
            assert not file.exists()
            file.parent.mkdir(exist_ok=True)
            file.write_text(step["code"], encoding="utf-8")
            continue
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        numbers = [n for n, line in enumerate(lines) if line.startswith(step["line"])]
        assert len(numbers) == 1 or (numbers and step["place"] == "after each")
        for number in reversed(numbers):
            lines[number + (step["place"] != "instead of") : number + 1] = [step["code"]]
        file.write_text("".join(lines), encoding="utf-8")
    return {step["file"] for step in steps}
