"""ZeroGPU, with the package `spaces` itself and a server that lends GPUs as its own does: stories
are written by the process that it forks, and everything else by this one's CPU.

No card is here, so the forked process computes on the CPU: what is seen is that the app starts
under the emulation, asks for seconds of GPU, and that the fork opens a model and writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.server import zero_gpu
from tests import local_server
from tests.paths import ROOT
from tests.processes import free_port


class Lender(local_server.Handler):
    """Lends a GPU to whoever asks."""

    requests: list[tuple[str, dict[str, list[str]]]] = []

    def do_POST(self) -> None:  # noqa: N802
        parts = urllib.parse.urlsplit(self.path)
        self.requests.append((parts.path, urllib.parse.parse_qs(parts.query)))
        lent = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-1", "allowToken": "t"}
        self.send(200, lent)


@pytest.fixture(scope="module")
def lender() -> Iterator[str]:
    """The address of the server that lends GPUs."""
    with local_server.serving(Lender) as address:
        yield address


@pytest.fixture(scope="module")
def space(
    tiny_export: Path, lender: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the app under the emulation."""
    folder = tmp_path_factory.mktemp("zero")
    (folder / "cgroup").write_text("0::/space\n")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": lender,
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(folder / "cgroup"),
        "ZEROGPU_OFFLOAD_DIR": str(folder / "tensors"),
        "SPACE_ID": "lily/tales",
        "OMP_NUM_THREADS": "2",
    }
    port = free_port()
    script = Path(__file__).with_name("zero_gpu_app.py")
    command = [sys.executable, str(script), "--model", str(tiny_export), "--port", str(port)]
    log = folder / "log"
    with log.open("w") as output:
        app = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert app.stdout is not None
        line = app.stdout.readline()
        while line and "Inkling is open at" not in line:
            line = app.stdout.readline()
        assert line, log.read_text()
        assert "writing on the CPU" in log.read_text()
        yield f"http://127.0.0.1:{port}"
        os.killpg(app.pid, signal.SIGTERM)  # a Space's container takes the fork along too
        app.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def call(url: str, name: str, **values: object) -> object:
    """The last value of an endpoint."""
    address = f"{url}/gradio_api/call/v2/{name}"
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(address, json.dumps(values).encode(), headers)
    with urllib.request.urlopen(asked) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}", timeout=60) as answer:
        events = answer.read().decode()
    assert "event: complete" in events, events
    data = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
    return json.loads(data[-1])[0]


@pytest.mark.process
def test_stories_are_written_in_the_process_that_is_forked(space: str) -> None:
    assert [path for path, _ in Lender.requests] == ["/startup-report"]
    wish = {"prompt": "Once upon a time", "length": 12, "seed": 7}
    here = call(space, "generate", **wish)
    assert [path for path, _ in Lender.requests] == ["/startup-report"]  # the CPU's
    found = call(space, "stories", **wish, count=3)
    assert isinstance(found, list) and len(set(found)) == 3
    assert found[0] == here
    paths = [path for path, _ in Lender.requests]
    assert paths == ["/startup-report", "/schedule", "/allow", "/release"]
    schedule, allow = Lender.requests[1][1], Lender.requests[2][1]
    assert int(schedule["durationSeconds"][0]) <= zero_gpu.SECONDS
    # Again, and this process goes on writing as before.
    assert call(space, "stories", **wish, count=3) == found
    assert call(space, "generate", **wish) == here
    assert allow["pid"] != [str(os.getpid())]


def test_without_it_the_function_is_an_ordinary_one() -> None:
    assert not zero_gpu.available()
