"""Who may ask the endpoints, and what they refuse: all without a process."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from playground.runs.endpoints import Studio
from tests.playground.runs.conftest import HEADERS, write_run

Post = Callable[..., Any]


def addresses(studio: Studio) -> list[tuple[str, str]]:
    """(method, path) of all endpoints, with names that exist or do not."""
    names = {"name": "mine", "set": "mine", "file": "a.txt", "id": "1", "action": "stop"}
    return [
        (method, re.sub(r"{(\w+)}", lambda found: names[found[1]], route.path))
        for route in studio.routes
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def test_without_the_key_all_are_closed(studio: Studio, stranger: TestClient) -> None:
    requests = addresses(studio)
    assert len(requests) == len(studio.routes)
    for method, path in requests:
        answer = stranger.request(method, path, headers=HEADERS)
        assert answer.status_code == 403, path
        assert answer.json()["detail"].startswith("This needs the key")


@pytest.mark.parametrize(
    "added",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Via": "1.1 nginx"},
        {"Origin": "https://story.example"},
        {"Origin": "null"},
    ],
)
def test_a_proxy_and_another_site_are_refused_with_the_key_too(
    studio: Studio, browser: TestClient, added: dict[str, str]
) -> None:
    for method, path in addresses(studio):
        answer = browser.request(method, path, headers=HEADERS | added)
        assert answer.status_code == 403, path


def test_another_name_of_this_machine_is_refused(studio: Studio, browser: TestClient) -> None:
    for method, path in addresses(studio):
        answer = browser.request(method, path, headers=HEADERS | {"Host": "story.example"})
        assert answer.status_code in (400, 403, 421), path


def test_what_changes_something_wants_the_pages_header(
    runs: Path, studio: Studio, browser: TestClient
) -> None:
    write_run(runs / "mine")
    before = sorted(str(path) for path in runs.rglob("*"))
    changing = [(method, path) for method, path in addresses(studio) if method != "GET"]
    assert len(changing) > 8
    for method, path in changing:
        for headers in ({}, {"x-inkling-studio": "yes"}):
            answer = browser.request(method, path, headers=headers, json={"name": "mine"})
            assert answer.status_code == 403, path
            assert "the page itself may send" in answer.json()["detail"]
    assert sorted(str(path) for path in runs.rglob("*")) == before


@pytest.mark.parametrize("body", [b"", b"[]", b"nothing", b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_one_message(browser: TestClient, body: bytes) -> None:
    for path in ("runs", "runs/mine/stop", "inspect", "estimate", "command"):
        answer = browser.post(f"/studio/{path}", content=body, headers=HEADERS)
        assert answer.status_code == 422
        assert answer.json()["detail"] == "The body of the request must be a JSON object."


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "%2e%2e", "a%2Fb", "x" * 65, "link"])
def test_names_lead_nowhere_else(
    runs: Path, tmp_path: Path, browser: TestClient, post: Post, name: str
) -> None:
    write_run(tmp_path / "outside")
    (runs / "link").symlink_to(tmp_path / "outside")
    assert browser.get(f"/studio/runs/{name}").status_code in (404, 405)
    for action in ("stop", "resume", "delete", "export", "write"):
        assert post(f"runs/{name}/{action}", name=name, form="gguf").status_code in (404, 405)
    assert browser.get("/studio/runs").json()["runs"] == []
    assert (tmp_path / "outside" / "run.json").is_file()


@pytest.mark.parametrize("name", ["..", ".x", "a b", "a/b", "", None, 7, "x" * 65, "-x"])
def test_a_run_gets_a_plain_name(runs: Path, post: Post, name: Any) -> None:
    answer = post("runs", name=name, preset="smoke", settings={})
    assert answer.status_code == 422
    assert "cannot be the name of a run" in answer.json()["detail"]
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"run.dir": "/tmp/x"}, "the app sets run.dir"),
        ({"run.fresh": True}, "the app sets run.fresh"),
        ({"preset": "pocket"}, "the app sets preset"),
        ({"optim.lr": ["1"]}, "must be a string or a number"),
        ({"optim.lr=1 --run.dir": "/tmp/x"}, "there is no setting"),
        ([], "settings a JSON object"),
        ({"corpus.source": "stories/none"}, "there are no stories 'stories/none' any more"),
    ],
)
def test_settings_that_cannot_be_are_one_message(
    runs: Path, post: Post, settings: Any, wrong: str
) -> None:
    answer = post("runs", name="mine", preset="smoke", settings=settings)
    assert answer.status_code in (404, 422)
    assert wrong in answer.json()["detail"][0].lower() + answer.json()["detail"][1:]
    assert list(runs.iterdir()) == []


@pytest.mark.process
def test_settings_that_the_trainer_refuses_are_its_message(runs: Path, post: Post) -> None:
    for settings, wrong in (({"optim.lr": "fast"}, "number"), ({"optim.rate": 1}, "no setting")):
        for path in ("runs", "command"):
            answer = post(path, name="mine", preset="smoke", settings=settings)
            assert answer.status_code == 422 and wrong in answer.json()["detail"]
    assert list(runs.iterdir()) == []


def test_a_name_that_exists_is_kept(runs: Path, post: Post) -> None:
    write_run(runs / "mine")
    (runs / "file").write_text("x")
    for name in ("mine", "file"):
        answer = post("runs", name=name, preset="smoke", settings={})
        assert answer.status_code == 409
        assert "choose another name" in answer.json()["detail"]
        assert answer.json()["remedy"] == ""  # starting it anyway would not help


def test_deleting_asks_for_the_name_again_and_takes_runs_only(
    runs: Path, tmp_path: Path, post: Post
) -> None:
    write_run(runs / "mine")
    (runs / "notes").mkdir()
    (runs / "notes" / "diary.txt").write_text("dear diary")
    assert post("runs/mine/delete", name="min").status_code == 422
    assert post("runs/mine/delete").status_code == 422
    assert post("runs/notes/delete", name="notes").status_code == 404
    assert (runs / "mine" / "state.json").is_file()
    (tmp_path / "large").mkdir()
    (runs / "mine" / "export").symlink_to(tmp_path / "large")
    assert "is a link to" in post("runs/mine/delete", name="mine").json()["detail"]
    (runs / "mine" / "export").unlink()
    assert post("runs/mine/delete", name="mine").status_code == 200
    assert os.listdir(runs) == ["notes"] and (runs / "notes" / "diary.txt").is_file()
    assert (tmp_path / "large").is_dir()


def test_files_of_a_run_are_no_links(runs: Path, tmp_path: Path, browser: TestClient) -> None:
    run = write_run(runs / "mine")
    (tmp_path / "secret.json").write_text(json.dumps({"state": "failed", "message": "secret"}))
    secret = json.dumps({"step": 7, "loss": 1.0, "samples": [{"story": "secret"}]})
    (tmp_path / "secret.jsonl").write_text(secret + "\n")
    for name, place in (("state.json", "secret.json"), ("metrics.jsonl", "secret.jsonl")):
        (run / name).unlink()
        (run / name).symlink_to(tmp_path / place)
    (run / ".studio").mkdir()
    (run / ".studio" / "log.txt").symlink_to(tmp_path / "secret.json")
    (run / ".studio" / "files").mkdir()
    (run / ".studio" / "files" / "a.gguf").symlink_to(tmp_path / "secret.json")
    assert "secret" not in browser.get("/studio/runs/mine").text
    assert browser.get("/studio/runs/mine/curve").json()["train"]["step"] == []
    for file in ("a.gguf", "..%2Fstate.json", "state.json"):
        assert browser.get(f"/studio/runs/mine/files/{file}").status_code == 404


def test_stories_are_written_whole_under_safe_names(
    tmp_path: Path, studio: Studio, browser: TestClient, post: Post
) -> None:
    def put(path: str, content: bytes) -> Any:
        return browser.put(f"/studio/stories/{path}", content=content, headers=HEADERS)

    answer = put("mine/Märchen 1.txt", b"One day.")
    assert answer.status_code == 201
    assert answer.json()["set"] == {
        "name": "mine", "source": "stories/mine", "bytes": 8,
        "files": [{"name": "Märchen 1.txt", "bytes": 8}],
    }  # fmt: skip
    studio.sets.limit = 12
    assert put("mine/Märchen 1.txt", b"Twelve bytes").status_code == 201  # in place of the first
    too_large = put("mine/b.txt", b"x")
    assert too_large.status_code == 413 and "at most" in too_large.json()["detail"]
    assert put("other/b.txt", b"x" * 13).status_code == 413
    for path in ("mine/.hidden", "mine/a%5Cb", "mine/a%0Ab", "%2e%2e/a.txt", ".x/a.txt"):
        assert put(path, b"x").status_code in (404, 422), path
    assert sorted(os.listdir(tmp_path / "stories")) == ["mine"]
    assert os.listdir(tmp_path / "stories" / "mine") == ["Märchen 1.txt"]
    (tmp_path / "stories" / "link").symlink_to(tmp_path)
    assert put("link/b.txt", b"x").status_code == 422
    assert not (tmp_path / "b.txt").exists()
    assert [one["name"] for one in browser.get("/studio/stories").json()["sets"]] == ["mine"]
    assert post("stories/mine/delete", name="x").status_code == 422
    assert post("stories/link/delete", name="link").status_code == 422
    assert post("stories/mine/delete", name="mine").status_code == 200
    assert not (tmp_path / "stories" / "mine").exists()
