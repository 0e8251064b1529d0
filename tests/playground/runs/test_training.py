"""A real run from the page's first request to its download: started, stopped, killed, resumed.

The requests are those of the page, and the processes are real; one run for all.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.folder.model_folder import ModelFolder
from playground.runs import tasks, training
from playground.runs.endpoints import Studio
from playground.server.owner import Owner
from playground.server.proxies import Proxies
from tests.playground.runs.conftest import HEADERS

pytestmark = [pytest.mark.process, pytest.mark.timeout(1800)]
SMALL = {
    "model.hidden": 32, "model.intermediate": 64, "model.context": 32, "optim.global_batch": 4,
    "corpus.tokenizer": "train:300", "run.validate_blocks": 1, "run.sample_length": 2,
    "run.evaluate_stories": 5, "run.snapshots": 1, "run.continue_stories": 0,
    "runtime.compile": "off", "run.log_every": 5, "run.save_every": 50,
}  # fmt: skip
SECONDS = 900.0  # for anything; a test that needs them has failed


class Page:
    """The owner's page before the endpoints of an app."""

    def __init__(self, place: Path, lowered: list[int]) -> None:
        """`lowered`: the processes whose priority is to be lowered."""
        self.place, self.lowered = place, lowered
        self.restart()

    def restart(self) -> None:
        """Another app over the same folder, which knows nothing of the first."""
        owner = Owner()
        self.studio = Studio(self.place / "runs", owner, {}, {"models": []})
        app = Proxies(Starlette(routes=self.studio.routes), "", "", None)
        self.client = TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)
        self.client.get("/studio/runs", params={"key": owner.key})

    def get(self, path: str) -> dict[str, Any]:
        """The answer to a question."""
        answer = self.client.get(f"/studio/{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def post(self, path: str, status: int = 200, **values: Any) -> dict[str, Any]:
        """The answer to a request."""
        answer = self.client.post(f"/studio/{path}", json=values, headers=HEADERS)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def wait(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The run, as soon as something is so."""
        deadline = time.monotonic() + SECONDS
        while not is_so(run := self.get("runs/mine")):
            assert time.monotonic() < deadline, run
            time.sleep(0.05)
        return run

    def wait_for(self, state: str) -> dict[str, Any]:
        """The run, as soon as it is in a state."""
        return self.wait(lambda run: run["state"] == state)

    def result(self, path: str, **values: Any) -> dict[str, Any]:
        """What a task found."""
        task = self.post(path, 202, **values)["task"]
        deadline = time.monotonic() + SECONDS
        while task["state"] == "running":
            assert time.monotonic() < deadline, task
            time.sleep(0.05)
            task = self.get(f"tasks/{task['id']}")["task"]
        return dict(task)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, without a run yet."""
    with pytest.MonkeyPatch.context() as patch:
        # Beside a busy suite, a process of lower priority waits minutes for its turn.
        lowered: list[int] = []
        for module in (tasks, training):
            patch.setattr(module, "lower_priority", lowered.append)
        page = Page(tmp_path_factory.mktemp("studio"), lowered)
        yield page
        for name in page.studio.training.busy():
            page.studio.training.request_end(name, "stop")
        page.studio.close()


@pytest.fixture(scope="module")
def settings(page: Page) -> dict[str, Any]:
    """Of the run, on stories that were dropped on the page."""
    sample = Path("trainer/corpus/sample.jsonl").read_bytes().splitlines(keepends=True)[:400]
    answer = page.client.put(
        "/studio/stories/pets/My pets.jsonl", content=b"".join(sample), headers=HEADERS
    )
    assert answer.status_code == 201
    stores = str(page.place / "data")
    return SMALL | {
        "corpus.source": "stories/pets",
        "corpus.folder": stores,
        "optim.steps": 100_000,
    }


def trainer_of(page: Page) -> int:
    """The process that trains."""
    from playground.runs import locks

    pid = locks.holder(page.place / "runs" / "mine" / ".run.lock")
    assert pid is not None
    return pid


def test_waiting_threads_of_a_run_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert training.environment()["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert training.environment()["OMP_WAIT_POLICY"] == "active"


def test_a_process_gets_a_lower_priority() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        training.lower_priority(process.pid)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
        process.kill()


def test_stories_are_read_and_the_time_is_measured(page: Page, settings: dict[str, Any]) -> None:
    inspected = page.result("inspect", source="stories/pets", settings={})["result"]
    assert inspected["stories"] == 400 and inspected["kept"] > 380 and inspected["tokens"] > 40_000
    wrong = page.result("inspect", source="/no/such/file.txt", settings={})
    assert wrong["state"] == "failed" and "there is no file" in wrong["message"].lower()
    found = page.result("estimate", preset="smoke", settings=settings)["result"]
    assert found["steps"] == 100_000 and found["seconds"] > 100_000 * found["seconds_per_step"]
    assert found["seconds_per_step"] > 0 and not (page.place / "runs" / "mine").exists()


def test_a_run_is_started_once_and_shown_to_all(page: Page, settings: dict[str, Any]) -> None:
    started = page.post("runs", 201, name="mine", preset="smoke", settings=settings)["run"]
    assert started["state"] == "preparing" and started["can"] == ["pause", "stop"]
    assert (
        "choose another name"
        in page.post("runs", 409, name="mine", preset="smoke", settings={})["detail"]
    )
    second = page.post("runs", 409, name="other", preset="smoke", settings={})
    assert second["detail"].startswith("Mine is training") and second["remedy"] == "anyway"
    page.restart()
    assert page.get("runs")["runs"][0]["state"] in ("preparing", "running")
    run = page.wait(lambda run: run["step"] >= 60 and run["model_step"] is not None)
    assert run["state"] == "running" and run["steps"] == 100_000
    assert run["settings"]["optim"]["steps"] == 100_000 and run["settings"]["model"]["hidden"] == 32
    assert run["loss"] > 0 and run["seconds_left"] > 0 and run["tokens_per_second"] > 0
    assert f"--run.dir {page.place / 'runs' / 'mine'}" in run["command"]
    assert trainer_of(page) in page.lowered
    assert "is already training" in page.post("runs/mine/resume", 409)["detail"]
    assert "stop it first" in page.post("runs/mine/delete", 409, name="mine")["detail"]


def test_a_model_of_it_is_made_while_it_trains(page: Page) -> None:
    task = page.result("runs/mine/export", form="safetensors")
    assert task["state"] == "done", task
    download = page.client.get(f"/studio/runs/mine/files/{task['result']['file']}")
    assert "attachment" in download.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        archive.extractall(page.place / "downloaded")
    opened = ModelFolder.open(page.place / "downloaded", device="cpu")
    assert opened.facts.tokens_seen and page.get("runs/mine")["state"] == "running"


def test_it_pauses_at_once_and_resumes_where_it_was(page: Page) -> None:
    answer = page.post("runs/mine/pause")["run"]  # which does not wait for it
    assert answer["state"] in ("stopping", "paused") and "pause" not in answer["can"]
    paused = page.wait_for("paused")
    assert "resume" in paused["can"] and paused["message"].startswith("stopped; saved after step")
    curve = page.get("runs/mine/curve")["train"]
    page.restart()
    assert page.get("runs/mine")["state"] == "paused"
    resumed = page.post("runs/mine/resume")["run"]
    assert resumed["state"] == "preparing" and resumed["step"] == paused["step"]
    assert resumed["seconds_left"] == pytest.approx(paused["seconds_left"], rel=0.1)
    page.wait(lambda run: run["state"] == "running" and run["step"] > paused["step"] + 10)
    after = page.get("runs/mine/curve?points=2000")["train"]
    assert after["step"][: len(curve["step"])] == curve["step"]
    assert after["seconds"] == sorted(after["seconds"])


def test_it_is_found_stopped_after_a_kill(page: Page) -> None:
    page.restart()
    os.kill(trainer_of(page), signal.SIGKILL)
    killed = page.wait_for("stopped")
    assert "Resume continues after step" in killed["message"] and "resume" in killed["can"]
    page.post("runs/mine/resume")
    page.wait(lambda run: run["state"] == "running" and run["step"] >= killed["step"])
    page.post("runs/mine/stop")
    stopped = page.wait_for("stopped")
    assert stopped["step"] >= killed["step"] and "saved after step" in stopped["message"]


def test_a_stop_while_it_prepares_and_stories_that_were_pulled_away(page: Page) -> None:
    page.post("runs/mine/resume")
    page.post("runs/mine/stop")
    assert page.wait(lambda run: run["state"] != "stopping")["state"] == "stopped"
    place = page.place / "stories" / "pets"
    place.rename(page.place / "away")
    page.post("runs/mine/resume")
    failed = page.wait_for("failed")
    assert "pets" in failed["message"] and "resume" in failed["can"]
    (page.place / "away").rename(place)


def test_it_starts_over_finishes_and_is_evaluated(page: Page, settings: dict[str, Any]) -> None:
    assert "type the run's name" in page.post("runs/mine/restart", 422)["detail"].lower()

    def first_line() -> list[float]:
        return list(page.get("runs/mine/curve?points=2000")["train"]["seconds"][:1])

    before = first_line()
    page.post("runs/mine/restart", name="mine")
    page.wait(lambda run: run["state"] == "running" and first_line() not in ([], before))
    page.post("runs/mine/stop")
    page.wait_for("stopped")
    page.post("runs/mine/delete", name="mine")
    assert page.get("runs")["runs"] == []
    few = settings | {"optim.steps": 20}
    page.post("runs", 201, name="mine", preset="smoke", settings=few)
    done = page.wait_for("finished")
    assert done["step"] == done["steps"] == 20 and done["seconds_left"] == 0
    assert done["perplexity"]["low"] < done["perplexity"]["value"] < done["perplexity"]["high"]
    assert "resume" not in done["can"] and "restart" in done["can"]
    assert "is finished" in page.post("runs/mine/resume", 409)["detail"]
    evaluated = page.result("runs/mine/evaluate")
    assert evaluated["state"] == "done", evaluated
    assert page.get("runs/mine")["perplexity"] == evaluated["result"]["perplexity"]
    gguf = page.result("runs/mine/export", form="gguf", type="q8_0")
    assert gguf["state"] == "done", gguf
    assert (
        page.get("runs/mine")["files"][0]["name"] == gguf["result"]["file"] == "mine-20-q8_0.gguf"
    )
    download = page.client.get("/studio/runs/mine/files/mine-20-q8_0.gguf")
    assert download.content.startswith(b"GGUF")
