"""A Space's repository: it starts from its folder alone, with what a Space has, and answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from playground.publish import hub as client
from playground.publish import space_repo
from tests.paths import ROOT
from tests.playground.folder.test_hub import serve
from tests.processes import free_port

# What the trainer brings is not there, as on a Space.
WITHOUT = ("trainer", "deepspeed", "datasets", "accelerate", "pyarrow", "matplotlib", "tests")


def staged(folder: Path, target: str) -> Path:
    """A staged Space, written to a folder."""
    staging = space_repo.stage(ROOT, "lily/my-tales", "fox/tiny", target)
    for path, content in staging.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copy(content, folder / path)
        else:
            (folder / path).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=space_repo.TARGETS)
def space(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Space of each target in turn."""
    return staged(tmp_path_factory.mktemp(request.param), request.param)


def test_its_front_matter_is_what_the_hub_reads(space: Path) -> None:
    text = (space / "README.md").read_text(encoding="utf-8")
    about = yaml.safe_load(re.fullmatch(r"---\n(.*?)---\n.*", text, re.DOTALL)[1])  # type: ignore[index]
    assert about["title"] == "My Tales"
    assert len(about["short_description"]) <= 60
    assert about["models"] == about["preload_from_hub"] == ["fox/tiny"]
    assert about["python_version"] == "3.12"  # a number would lose its last digit
    assert about["sdk"] == "gradio" and about["sdk_version"].startswith("6.")
    assert (space / about["app_file"]).is_file()


def test_only_a_gpu_installs_pytorch(space: Path) -> None:
    lines = (space / "requirements.txt").read_text().splitlines()
    heavy = [line for line in lines if re.match("torch|transformers|--", line)]
    assert heavy == ([] if space.name.startswith("cpu") else ["torch>=2.8,<2.12"])
    assert {"tokenizers", "safetensors", "numpy"} <= {line.split(">=")[0] for line in lines}
    assert not any(re.match("gradio|spaces|huggingface", line) for line in lines)


def test_nothing_of_the_trainer_is_in_it(space: Path) -> None:
    assert {entry.name for entry in space.iterdir()} == {
        *("app.py", "LICENSE", "README.md", "playground", "requirements.txt", "space.json")
    }
    assert not (space / "playground" / "publish").exists()
    web = {entry.name for entry in (space / "playground" / "web").iterdir()}
    assert "editor" in web and not web & {"models", "studio", "train"}
    vendor = space / "playground" / "web" / "vendor"
    assert [entry.name for entry in vendor.iterdir()] == ["uqr"]  # with its licence
    assert {entry.name for entry in (vendor / "uqr").iterdir()} == {"index.js", "LICENSE.txt"}
    assert (space / "playground" / "web" / "fonts" / "literata.woff2").is_file()


def test_the_targets_differ_in_what_the_hub_reads_alone() -> None:
    """So the app that is started below is that of every target."""
    first, *others = (
        space_repo.stage(ROOT, "lily/my-tales", "fox/tiny", target).files
        for target in space_repo.TARGETS
    )
    for other in others:
        assert other.keys() == first.keys()
        differing = {path for path in first if first[path] != other[path]}
        assert differing == {"README.md", "requirements.txt"}


@pytest.fixture(scope="module")
def running(tiny_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Space's app, started in its folder with a cache of its own and a Hub that has the model."""
    space = staged(tmp_path_factory.mktemp("cpu"), "cpu")
    files = {file.name: file.read_bytes() for file in tiny_export.iterdir()}
    port = free_port()
    hidden = "".join(f"sys.modules[{name!r}] = None;" for name in WITHOUT)
    code = f"import sys; {hidden} sys.argv = ['app.py']; import app; app.main()"
    with serve(files, {}) as (url, fetched):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        } | {
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path_factory.mktemp("cache")),
            "HF_HUB_DISABLE_XET": "1",
            "SPACE_ID": "lily/my-tales",
            "GRADIO_SERVER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        log = (space.parent / f"{space.name}.log").open("w+")
        app = subprocess.Popen(
            [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
            cwd=space, env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert app.stdout is not None
        line = app.stdout.readline()
        assert "Inkling is open at" in line, Path(log.name).read_text()
        assert "model.safetensors" in fetched
        yield f"http://127.0.0.1:{port}"
        app.terminate()
        app.wait()
        assert "Traceback" not in Path(log.name).read_text()


@pytest.mark.process
def test_it_answers_as_it_is_asked_when_it_is_published(running: str) -> None:
    assert client.first_story(running, private=False).startswith("Once upon a time")


@pytest.mark.process
def test_links_lead_to_the_spaces_page(running: str) -> None:
    import urllib.request

    with urllib.request.urlopen(f"{running}/web/start.json") as answer:
        start = json.load(answer)
    assert start["address"] == "https://huggingface.co/spaces/lily/my-tales?story="
    assert [model["name"] for model in start["models"]] == ["tiny"]
