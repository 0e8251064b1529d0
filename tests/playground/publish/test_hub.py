"""One commit or none: what the Hub refuses is a sentence, and the repository is as it was."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils import _http

from playground.publish import hub as client
from playground.publish.staging import Staging
from tests.paths import ROOT
from tests.playground.publish import hub_server
from tests.playground.publish.hub_server import TOKEN, Hub

NAME = "lily/inkling"
# Publishes in a child of its own for every line that it reads, and kills it after so many seconds.
KILLED = f"""
import os, signal, sys, time
from pathlib import Path
from huggingface_hub import HfApi
from playground.publish import hub
from playground.publish.staging import Staging
what = Staging({{"model.safetensors": Path(sys.argv[1]), "app.py": "print()",
                "playground/a.py": "print()", "README.md": "# x"}})
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr
        hub.publish(HfApi(), "{NAME}", "space", what, private=True, hardware=None, say=print)
        os._exit(0)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
"""


def staging(tmp_path: Path, size: int = 1000, text: str = "print()") -> Staging:
    weights = tmp_path / "weights"
    weights.write_bytes(random.Random(f"{size} {text}").randbytes(size))
    return Staging(
        {"model.safetensors": weights, "app.py": text, "playground/a.py": text, "README.md": "# x"}
    )


def publish(api: HfApi, what: Staging, kind: str = "space") -> str:
    return client.publish(
        api, NAME, kind, what, private=True, hardware="cpu-basic", say=lambda line: None
    )


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tries again after some seconds when the Hub has trouble: here at once."""
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)


def test_a_repository_is_made_and_updated(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    what = staging(tmp_path)
    commit = publish(api, what)
    repository = hub.repositories["space", NAME]
    assert repository.private
    assert (repository.about["sdk"], repository.about["hardware"]) == ("gradio", "cpu-basic")
    assert repository.commits == ["0" * 40, commit]
    weights = Path(str(what.files["model.safetensors"])).read_bytes()
    assert hub.files("space", NAME)["model.safetensors"] == weights
    # Again: nothing new goes up, and no commit is made.
    sent = hub.requests.count("upload")
    assert publish(api, what) == commit
    assert hub.requests.count("upload") == sent and len(repository.commits) == 2
    # Another version: what is ours and not there any more goes, what somebody added stays.
    repository.files["notes.md"] = b"by hand"
    del what.files["playground/a.py"]
    what.files["playground/b.py"] = "1"
    publish(api, what)
    assert set(repository.files) == {
        *("model.safetensors", "app.py", "playground/b.py", "README.md", "notes.md")
    }
    assert len(repository.commits) == 3


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "the Hub does not accept your token: log in with `hf auth login`."),
        (402, "the Hub requires a paid plan for this (a reason of the Hub): choose another"),
        (403, "the Hub refuses (a reason of the Hub): your token needs write access to"),
        (409, "somebody else is changing lily/inkling: you changed nothing"),
        (413, "this is too large for the Hub (a reason of the Hub): publish fewer files."),
        (429, "the Hub's rate limit is reached: repeat the command after 7 seconds."),
        (500, "the Hub failed (500): lily/inkling is unchanged"),
        (503, "the Hub failed (503): lily/inkling is unchanged"),
        (0, "the connection to the Hub was lost: lily/inkling is unchanged"),
    ],
)
def test_a_refusal_is_an_error_and_changes_nothing(
    hub: Hub, api: HfApi, tmp_path: Path, status: int, sentence: str
) -> None:
    what = staging(tmp_path)

    def check_refusal(step: str) -> None:
        before = {key: dict(repository.files) for key, repository in hub.repositories.items()}
        hub.refuse[step] = status
        with pytest.raises(ValueError) as refusal:
            publish(api, what)
        hub.refuse.clear()
        assert str(refusal.value).startswith(sentence), (step, refusal.value)
        assert TOKEN not in str(refusal.value)
        after = {key: repository.files for key, repository in hub.repositories.items()}
        assert after == before, step

    # A new repository; a 409 for it says that it is there already.
    if status in (401, 402, 403):
        check_refusal("create")
    publish(api, staging(tmp_path, 10, "old"))
    what = staging(tmp_path)
    # An old one, of which these four answers to "create" say that it is there already.
    for step in ("create", "preupload", "batch", "upload", "commit"):
        if step != "create" or status not in (401, 402, 403, 409):
            check_refusal(step)
    # The same command completes it.
    publish(api, what)
    assert hub.files("space", NAME)["app.py"] == b"print()"


def test_of_two_at_once_both_are_whole(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    """Each makes one commit on the revision that it has seen, or gets an error."""
    publish(api, staging(tmp_path, 10, "old"))
    versions = []
    for k in range(4):
        (tmp_path / str(k)).mkdir()
        versions.append(staging(tmp_path / str(k), 500_000, f"version {k}"))

    def one(what: Staging) -> str:
        try:
            publish(api, what)
            return "done"
        except ValueError as problem:
            return str(problem)

    with ThreadPoolExecutor(4) as both:
        answers = list(both.map(one, versions))
    assert "done" in answers
    assert all(one == "done" or "repeat the command" in one for one in answers)
    files = hub.files("space", NAME)
    (k,) = [k for k in range(4) if files["app.py"] == f"version {k}".encode()]
    assert files["playground/a.py"] == files["app.py"]
    assert files["model.safetensors"] == (tmp_path / str(k) / "weights").read_bytes()


@pytest.mark.process
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.soak)])
def test_killed_at_any_moment_it_is_as_it_was_or_as_it_will_be(
    hub: Hub, api: HfApi, tmp_path: Path, kills: int
) -> None:
    publish(api, staging(tmp_path, 10, "old"))
    repository = hub.repositories["space", NAME]
    old = dict(repository.files)
    what = staging(tmp_path, 3_000_000)
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    states = []
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(what.files["model.safetensors"])],
        cwd=ROOT, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        draw = random.Random(4)
        for number in range(kills):
            repository.files = dict(old)
            after = draw.uniform(0, 0.25) if number else 0  # the first before anything is done
            process.stdin.write(f"{after}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "killed\n"
            with hub.lock:  # a commit that arrived whole is made
                states.append(repository.files == old)
                if not states[-1]:
                    assert set(repository.files) == set(what.files)
                    assert repository.files["app.py"] == b"print()"
        process.stdin.close()
    assert any(states)
    publish(api, what)
    assert hub.files("space", NAME)["app.py"] == b"print()"


def test_a_token_that_is_missing_unknown_or_can_only_read(
    hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert client.check_login(api, NAME) == "lily"
    hub.role = "read"
    with pytest.raises(ValueError, match="can only read"):
        client.check_login(api, NAME)
    (tmp_path / "token").write_text("hf_wrong")
    with pytest.raises(ValueError, match="does not accept your token"):
        client.check_login(api, NAME)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="you are not logged in: `hf auth login`"):
        client.check_login(api, NAME)


def test_a_space_waits_for_its_model(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no model lily/tale on the Hub: publish it"):
        client.check_model(api, "lily/tale")
    publish(api, staging(tmp_path), "model")
    client.check_model(api, NAME)


def test_a_space_is_followed_until_it_runs_and_answers(
    hub: Hub, api: HfApi, tmp_path: Path
) -> None:
    commit = publish(api, staging(tmp_path))
    messages: list[str] = []
    host = client.wait_until_it_runs(api, NAME, commit, messages.append, poll=0)
    assert [line.split("s  ")[1] for line in messages] == ["building", "app starting", "running"]
    assert client.first_story(host, private=True).startswith("Once upon a time")
    hub.answers = False
    with pytest.raises(ValueError, match="its API wrote no story"):
        client.first_story(host, private=False)
    with pytest.raises(ValueError, match="its API does not answer"):
        client.first_story("http://127.0.0.1:9", private=False)


@pytest.mark.parametrize("stage", ["BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR"])
def test_a_space_that_does_not_run_shows_the_end_of_its_log(
    hub: Hub, api: HfApi, tmp_path: Path, stage: str
) -> None:
    commit = publish(api, staging(tmp_path))
    hub.stages = ["BUILDING", stage]
    kind = "build" if stage == "BUILD_ERROR" else "run"
    with pytest.raises(ValueError, match=f"does not run .*line 29 of logs/{kind}"):
        client.wait_until_it_runs(api, NAME, commit, lambda line: None, poll=0)
    hub.stages = ["PAUSED"]
    with pytest.raises(ValueError, match="is paused, and its new files are uploaded"):
        client.wait_until_it_runs(api, NAME, commit, lambda line: None, poll=0)


def test_the_token_goes_to_the_hub_alone(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    """A private Space's address must be the Hub's own to be given the token."""
    heard: list[str | None] = []
    answer = hub_server.Handler.reply

    def listen(self: hub_server.Handler, step: str, path: str, body: bytes) -> None:
        heard.append(self.headers.get("Authorization"))
        answer(self, step, path, body)

    monkeypatch.setattr(hub_server.Handler, "reply", listen)
    client.first_story(hub.url, private=True)
    assert heard == [None, None]
