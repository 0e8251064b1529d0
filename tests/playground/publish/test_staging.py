"""What is not to be published is not staged, and each is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from playground.publish.secret_scan import secret_in
from playground.publish.staging import Staging, readable

TOKEN = "hf_" + "aB3" * 12


def tree(root: Path, **files: str) -> Path:
    for path, content in files.items():
        file = root / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def test_each_planted_thing_is_left_out_and_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    root.mkdir()
    planted = {
        ".env": f"HF_TOKEN={TOKEN}",
        ".env.local": "x",
        "token": TOKEN,
        "stories.db": "SQLite",
        "playground/kept.sqlite3": "SQLite",
        "playground/last.ckpt": "x",
        "playground/weights.pt": "x",
        "runs/a/checkpoints/step-1/weights.safetensors": "x",
        "data/train.jsonl": "{}",
        "playground/key.py": f"import os\n\ntoken = '{TOKEN}'\n",
        "playground/notes.doc": "x",
        "secrets.py": "x",
    }
    for path, content in planted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "app.py").write_text("print()")
    (root / "playground" / "good.py").write_text("print()")
    outside = tmp_path / "private.py"
    outside.write_text("private")
    (root / "playground" / "link.py").symlink_to(outside)
    (root / "playground" / "away").symlink_to(tmp_path)
    staging = Staging()
    staging.add_folder(
        root, lambda path: path == "app.py" or path.startswith("playground/") and path[-3:] == ".py"
    )
    assert set(staging.files) == {"app.py", "playground/good.py"}
    assert staging.left_out == {
        ".env": "settings and tokens of this computer",
        ".env.local": "settings and tokens of this computer",
        "token": "not on the list of published files",
        "stories.db": "a database",
        "playground/kept.sqlite3": "a database",
        "playground/last.ckpt": "a checkpoint",
        "playground/weights.pt": "a checkpoint",
        "runs/": "checkpoints and metrics of your runs",
        "data/": "stories",
        "playground/key.py": "holds what looks like a Hugging Face token, in line 3: remove it",
        "playground/notes.doc": "not on the list of published files",
        "playground/link.py": "a symbolic link, which may lead out of this folder",
        "playground/away": "a symbolic link, which may lead out of this folder",
        "secrets.py": "not on the list of published files",
    }
    assert all(f"  {name}: " in staging.remainder for name in staging.left_out)
    assert "in 2 files" in staging.tree


def test_a_folder_in_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink(tmp_path, tmp_path / "a" / "again")
    (tmp_path / "a" / "b.py").write_text("")
    staging = Staging()
    staging.add_folder(tmp_path, lambda path: path.endswith(".py"))
    assert set(staging.files) == {"a/b.py"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (TOKEN, "a Hugging Face token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("ghp_" + "a" * 36, "a GitHub token"),
        ("key=AKIAABCDEFGHIJKLMNOP", "an AWS key"),
        ("sk-proj-" + "a1" * 20, "an API key"),
        ("AIza" + "a" * 35, "a Google key"),
        ("xoxb-1234567890-abc", "a Slack token"),
        ("postgres://lily:secret12@host/db", "a password in an address"),
    ],
)
def test_what_looks_like_a_secret_is_found(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / "a.py"
    file.write_text(f"one\ntwo = '{text}'\n")
    assert secret_in(file) == f"what looks like {name}, in line 2"


def test_this_project_holds_none() -> None:
    from tests.paths import ROOT

    for folder in ("playground", "trainer"):
        for file in (ROOT / folder).rglob("*.py"):
            assert secret_in(file) is None, file


def test_sizes_are_readable() -> None:
    assert [readable(size) for size in (7, 7_100, 38_300_000, 2_000_000_000)] == [
        *("7 B", "7.1 kB", "38.3 MB", "2.0 GB")
    ]
