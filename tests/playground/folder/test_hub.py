"""A model by its name on the Hub: fetched over HTTP from a server on this machine, then opened
without one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from playground import generate
from playground.folder.model_folder import ModelFolder
from tests import local_server

MAIN, OFFER = "a" * 40, "b" * 40  # commits
NOBODY = "http://127.0.0.1:9"


@contextmanager
def serve(main: dict[str, bytes], offer: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A Hub with one model, fox/tiny, and one pull request: its address, and what was fetched."""
    fetched: list[str] = []

    class Answer(local_server.Handler):
        def do_GET(self) -> None:  # noqa: N802
            path = self.path.split("?")[0].replace("%2F", "/")
            if not re.match(r"(/api/models)?/fox/tiny\b", path):
                self.send(404, X_Error_Code="RepoNotFound")
                return
            commit = OFFER if f"/{OFFER}" in path or "refs/pr/1" in path else MAIN
            files = offer if commit == OFFER else main
            if "/discussions" in path:
                found = [
                    {
                        "num": 1, "author": {"name": "SFconvertbot"}, "title": "Adding safetensors",
                        "status": "open", "isPullRequest": True,
                        "repo": {"name": "fox/tiny", "type": "model"},
                        "createdAt": "2024-01-01T00:00:00.000Z",
                    }
                ]  # fmt: skip
                found = found if offer else []
                content = {"discussions": found, "count": len(found), "start": 0}
                self.send(200, content)
            elif "/revision/" in path or path.endswith("/fox/tiny"):
                names = [{"rfilename": name} for name in files]
                about = {"id": "fox/tiny", "sha": commit, "siblings": names, "tags": []}
                self.send(200, about)
            elif "/tree/" in path:
                entries = [
                    {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                    for name, content in files.items()
                ]
                self.send(200, entries)
            elif (name := path.rsplit("/", 1)[-1]) in files:
                if self.command == "GET":
                    fetched.append(name)
                digest = hashlib.sha1(files[name]).hexdigest()
                self.send(200, files[name], ETag=f'"{digest}"', X_Repo_Commit=commit)
            else:
                self.send(404, X_Error_Code="EntryNotFound")

        do_HEAD = do_GET  # noqa: N815

    with local_server.serving(Answer) as address:
        yield address, fetched


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets which Hub is asked from now on; the cache is one for the whole test."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def turn_to(address: str) -> None:
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return turn_to


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_a_model_is_fetched_once_and_opened_offline_afterwards(
    tiny_export: Path, ask: Callable[[str], None]
) -> None:
    files = files_of(tiny_export) | {"pytorch_model.bin": b"\x80\x04.", "notes.md": b"x"}
    del files["training.json"]
    with serve(files, {}) as (address, fetched):
        ask(address)
        first = ModelFolder.open("fox/tiny", device="cpu")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(fetched)
    assert not {"pytorch_model.bin", "notes.md"} & set(fetched)
    assert first.facts.name == "tiny"
    ask(NOBODY)
    assert ModelFolder.open("fox/tiny", device="cpu").fingerprint == first.fingerprint
    assert first.fingerprint == ModelFolder.open(tiny_export, device="cpu").fingerprint


def test_weights_that_are_a_pickle_come_from_the_converter(
    tiny_export: Path, ask: Callable[[str], None]
) -> None:
    files = files_of(tiny_export)
    weights = {"model.safetensors": files.pop("model.safetensors")}
    files |= {"pytorch_model.bin": b"\x80\x04."}
    with serve(files, {}) as (address, _):
        ask(address)
        with pytest.raises(ValueError, match="spaces/safetensors/convert"):
            ModelFolder.open("fox/tiny")
    with serve(files, files | weights) as (address, _):
        ask(address)
        first = ModelFolder.open("fox/tiny", device="cpu")
    ask(NOBODY)
    assert ModelFolder.open("fox/tiny", device="cpu").fingerprint == first.fingerprint


def test_what_is_not_there_is_one_sentence(
    ask: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with serve({}, {}) as (address, _):
        ask(address)
        with pytest.raises(ValueError, match="no model of this name on the Hub"):
            ModelFolder.open("fox/other")
    ask(NOBODY)
    assert generate.main(["fox/other"]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        "error: there is no model folder fox/other, and the Hub did not answer"
    )
    assert message.count("\n") == 1
