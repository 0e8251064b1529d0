"""What the documents point at exists: files, headings' files, modules and settings."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.paths import ROOT
from trainer.settings.command_line import help_text

PLACES = ("*.md", "docs/*.md", "docs/*.slurm")
DOCUMENTS = sorted(file for place in PLACES for file in ROOT.glob(place))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
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


@pytest.mark.parametrize("document", documents())
def test_every_module_and_setting_named_exists(document: Path) -> None:
    if document.name in ("LOG.md", "CHANGELOG.md"):
        pytest.skip("tells of the past")
    text = document.read_text(encoding="utf-8")
    known = set(re.findall(r"--([a-z_]+\.[a-z_]+)", help_text()))
    assert [name for name in MODULE.findall(text) if find_spec(name.rstrip(".")) is None] == []
    assert [name for name in SETTING.findall(text) if name not in known] == []
    assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == []
