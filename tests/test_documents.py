"""What the documents point at exists: files, headings, modules and settings; the map of the
documents, the index of the log and the page of settings are complete."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs import make_settings
from tests.paths import ROOT
from trainer.settings.command_line import help_text

PLACES = ("*.md", "docs/*.md", "docs/*.slurm")
DOCUMENTS = sorted(file for place in PLACES for file in ROOT.glob(place))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FILE = re.compile(r"`((?:trainer|playground|tests|benchmarks|docs)/[\w./-]+\.\w+)`")
MODULE = re.compile(r"python -m ((?:trainer|playground)[\w.]*)")
SETTING = re.compile(r"--((?:run|corpus|model|optim|runtime)\.[a-z_]+)")


def documents() -> list[pytest.ParameterSet]:
    return [pytest.param(file, id=file.relative_to(ROOT).as_posix()) for file in DOCUMENTS]


@pytest.mark.parametrize("document", documents())
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def anchors(document: Path) -> set[str]:
    """The addresses of the headings, as GitHub makes them."""
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in words}


@pytest.mark.parametrize("document", documents())
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", document.read_text(encoding="utf-8"))
    local = [(name, anchor) for name, anchor in links if not name.startswith("http")]
    wrong = [
        f"{name}#{anchor}"
        for name, anchor in local
        if anchor not in anchors(document.parent / name if name else document)
    ]
    assert wrong == []


def test_the_map_names_every_page() -> None:
    text = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {file.name for file in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages - set(LINK.findall(text)) == set()


def test_the_index_of_the_log_has_every_entry() -> None:
    text = (ROOT / "docs/LOG.md").read_text(encoding="utf-8")
    index = set(re.findall(r"^\| \d{4}-\d\d-\d\d \| \[.*\]\(#(.*?)\) \|", text, re.MULTILINE))
    assert anchors(ROOT / "docs/LOG.md") - {"log-of-experiments"} == index


def test_the_page_of_settings_is_up_to_date() -> None:
    assert make_settings.FILE.read_text(encoding="utf-8") == make_settings.page()


@pytest.mark.parametrize("document", documents())
def test_every_module_and_setting_named_exists(document: Path) -> None:
    if document.name in ("LOG.md", "CHANGELOG.md"):
        pytest.skip("tells of the past")
    text = document.read_text(encoding="utf-8")
    known = set(re.findall(r"--([a-z_]+\.[a-z_]+)", help_text()))
    assert [name for name in MODULE.findall(text) if find_spec(name.rstrip(".")) is None] == []
    assert [name for name in SETTING.findall(text) if name not in known] == []
    new = set(re.findall(r"A new file `([^`]+)`", text))  # which a recipe makes
    assert [one for one in FILE.findall(text) if one not in new and not (ROOT / one).exists()] == []
