"""The folder of a page without a server, and the command that makes it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.browser.__main__ import main
from playground.browser.build import checksum_of, page_of, write
from playground.folder.model_folder import ModelFolder
from tests.paths import ROOT

pytestmark = pytest.mark.slow  # models with GPT-2's whole vocabulary


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.process
def test_make_browser_takes_the_shipped_model() -> None:
    target = ["make", "--dry-run", "browser", "VENV=.venv"]
    recipe = subprocess.run(target, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    command = next(line for line in recipe.splitlines() if "playground.browser" in line)
    words = command.split("playground.browser ")[1].split()
    assert words == ["models/storyteller", "build/page"]


def test_a_folder_is_made_and_made_again(
    folder_of: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "page"
    assert main([str(folder_of("llama")), str(out)]) == 0
    output = capsys.readouterr().out
    assert "files" in output
    assert "export is not in fp16" in output
    made = files_of(out)
    assert {"index.html", "sw.js", "start.json", ".nojekyll", "web/sampling/core.wasm"} <= made
    assert not [
        path for path in made if path.startswith(("web/studio", "web/train", "web/vendor/uplot"))
    ]
    start = json.loads((out / "start.json").read_text(encoding="utf-8"))
    content = (out / start["model"]["weights"]).read_bytes()
    assert start["model"]["bytes"] == len(content)
    assert start["model"]["checksum"] == checksum_of(content)
    # All that the worker keeps for a visit without a connection is there, and nothing is forgotten.
    kept = json.loads(re.search(r"FILES = (\[.*?\]);", (out / "sw.js").read_text())[1])
    not_kept = {"index.html", "sw.js", ".nojekyll", "inkling-page.json", start["model"]["weights"]}
    assert set(kept) - {"./"} == made - not_kept
    before = (out / "sw.js").read_bytes()
    assert main([str(folder_of("llama")), str(out)]) == 0
    assert (out / "sw.js").read_bytes() == before, "the same page has the same version"
    assert main([str(folder_of("qwen3")), str(out), "--weights", "int8"]) == 0
    assert (out / "sw.js").read_bytes() != before
    assert start["model"]["weights"] not in files_of(out), "the old weights are gone"
    assert [path.name for path in out.parent.iterdir()] == ["page"], "nothing is left beside it"


def test_what_the_page_imports_is_there(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    write(page_of(ModelFolder.open(folder_of("llama"), device="cpu")), tmp_path / "page")
    for script in (tmp_path / "page").rglob("*.js"):
        for name in re.findall(r'(?:from|import) "(\.[^"]+)"', script.read_text(encoding="utf-8")):
            assert (script.parent / name).is_file(), f"{script.name} imports {name}"
    html = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    for name in re.findall(r'(?:href|src)="([^"]+)"', html):
        assert (tmp_path / "page" / name).is_file(), name


def test_a_filter_of_the_training_stories_goes_along(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    export = Path(shutil.copytree(folder_of("llama"), tmp_path / "export"))
    page = page_of(ModelFolder.open(export, device="cpu"))
    assert json.loads(page.files["start.json"])["models"][0]["trace"] is None
    (export / "training_runs.filter").write_bytes(b"runs")
    page = page_of(ModelFolder.open(export, device="cpu"))
    name = json.loads(page.files["start.json"])["models"][0]["trace"]
    assert re.fullmatch(r"runs-[0-9a-f]{12}\.filter", name)
    assert page.files[name] == b"runs"
    assert name not in page.files["sw.js"].decode()  # loaded when a person opens the view


def test_weights_of_the_hub_are_not_in_the_folder(
    folder_of: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page"
    assert main([str(folder_of("llama")), str(out), "--weights-from", "ann/fox"]) == 0
    start = json.loads((out / "start.json").read_text(encoding="utf-8"))
    address = start["model"]["weights"]
    assert address.startswith("https://huggingface.co/ann/fox/resolve/main/browser/model-")
    (weights,) = (tmp_path / "page-weights").iterdir()
    assert address.endswith(weights.name)
    assert checksum_of(weights.read_bytes()) == start["model"]["checksum"]
    assert f"hf upload ann/fox {weights} browser/{weights.name}" in capsys.readouterr().out
    assert not list(out.glob("*.inkling"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "OUT"], "nowhere"),
        (["MODEL", "FULL"], "holds other files: name a new folder"),
        (["MODEL", "FILE"], "is a file: name a folder"),
        (["MODEL", "OUT", "--weights-from", "a b"], "--weights-from must be a repository's name"),
        (["MODEL", "OUT", "--weights", "fp8"], "--weights"),
    ],
)
def test_what_cannot_be_made_is_a_sentence(
    arguments: list[str],
    sentence: str,
    folder_of: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    known = {
        "MODEL": folder_of("llama"), "OUT": tmp_path / "out", "FULL": tmp_path / "full",
        "FILE": tmp_path / "file",
    }  # fmt: skip
    words = [str(known.get(one, one)) for one in arguments]
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    message = capsys.readouterr().err
    assert sentence in message
    assert "Traceback" not in message
    assert files_of(tmp_path) == {"full/mine.txt", "file"}
