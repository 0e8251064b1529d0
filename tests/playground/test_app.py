"""The door: `python app.py` opens, or says in one sentence why not."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.paths import ROOT
from tests.processes import free_port


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module app.py, fresh; the environment it sets is put back."""
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")
    for name in ("GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME", "PORT", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "app", raising=False)
    import app

    yield app
    sys.modules.pop("app")
    gc.enable()  # which the app does after its start, and not when it gives up


def refusal(
    app: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: str | Path,
) -> str:
    """What `python app.py words...` says when it gives up with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["app.py", "--no-browser", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_a_missing_folder_is_named(app, monkeypatch, capsys, tmp_path) -> None:
    message = refusal(app, monkeypatch, capsys, "--model", tmp_path / "nowhere")
    assert "nowhere" in message


def test_a_truncated_weight_file_is_named(app, monkeypatch, capsys, tiny_export, tmp_path) -> None:
    folder = shutil.copytree(tiny_export, tmp_path / "cut")
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    assert "model.safetensors" in refusal(app, monkeypatch, capsys, "--model", folder)


def test_a_folder_without_tokenizer_is_told(
    app, monkeypatch, capsys, tiny_export, tmp_path
) -> None:
    folder = shutil.copytree(tiny_export, tmp_path / "mute")
    (folder / "tokenizer.json").unlink()
    assert "tokenizer" in refusal(app, monkeypatch, capsys, "--model", folder)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "7860x", "1e3", "٧"])
def test_a_port_that_is_none_is_refused(app, monkeypatch, capsys, port) -> None:
    assert "65535" in refusal(app, monkeypatch, capsys, f"--port={port}")


def test_the_port_may_come_from_the_environment(app, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PORT", "7861")
    assert app.command_line([]).port == 7861
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7862")
    assert app.command_line([]).port == 7862
    assert app.command_line(["--port", "7863"]).port == 7863
    monkeypatch.setenv("GRADIO_SERVER_PORT", "none")
    assert "'none'" in refusal(app, monkeypatch, capsys)


def test_a_port_in_use_and_an_address_of_another_machine_are_refused(
    app, monkeypatch, capsys
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refusal(app, monkeypatch, capsys, "--port", str(port))
    message = refusal(app, monkeypatch, capsys, "--host", "no.such.host.invalid", "--port", "7860")
    assert "--host" in message


def test_no_proxy_is_believed_that_is_not_named(app, monkeypatch, capsys) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert app.trusted_proxies(app.command_line([])) == ""
    assert app.trusted_proxies(app.command_line(["--share"])) == "127.0.0.1,::1"  # its own tunnel
    named = app.command_line(["--forwarded-allow-ips", "127.0.0.1, 10.0.0.0/8", "--share"])
    assert app.trusted_proxies(named) == "127.0.0.1, 10.0.0.0/8"
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert app.trusted_proxies(app.command_line([])) == "*"
    message = refusal(app, monkeypatch, capsys, "--forwarded-allow-ips", "127.0.0.1,nginx")
    assert "'nginx'" in message and "10.0.0.0/8" in message


def test_an_unknown_option_is_refused(app, monkeypatch, capsys) -> None:
    assert "--modell" in refusal(app, monkeypatch, capsys, "--modell", "x")


def test_the_newest_export_is_opened_and_the_shipped_model_when_there_is_none(
    app, monkeypatch, capsys, tmp_path
) -> None:
    monkeypatch.setattr(app, "ROOT", tmp_path)
    assert "--model DIR" in refusal(app, monkeypatch, capsys)
    shipped = tmp_path / "models" / "storyteller"
    shipped.mkdir(parents=True)
    assert app.default_model() == shipped
    for age, run in enumerate(("newer", "older")):
        export = tmp_path / "runs" / run / "export"
        export.mkdir(parents=True)
        (export / "config.json").write_text("{}")
        os.utime(export, times=(1e9 - age, 1e9 - age))
    (tmp_path / "runs" / "unfinished").mkdir()
    assert app.default_model() == tmp_path / "runs" / "newer" / "export"


def test_without_gradio_it_says_how_to_install_it(
    app, monkeypatch, capsys, tiny_export: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    message = refusal(app, monkeypatch, capsys, "--model", tiny_export)
    assert message.startswith("error: Gradio is not installed")
    assert '".[play]"' in message


@pytest.mark.process
def test_help_lists_every_option_without_gradio_and_torch() -> None:
    """What starts at once: a process, because this one has imported both."""
    code = (
        "import sys; sys.modules |= {'gradio': None, 'torch': None, 'transformers': None}\n"
        "sys.argv = ['app.py', '--help']\n"
        "import app; app.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in ("--model DIR", "--host", "--port", "--share", "--no-browser"):
        assert option in done.stdout


@pytest.mark.process
def test_others_on_the_network_are_told_where_and_a_public_page_is_announced_first(
    tiny_export: Path,
) -> None:
    """Without a network there is no public address, and the page opens all the same."""
    port = free_port()
    command = [sys.executable, "app.py", "--no-browser", "--host", "0.0.0.0", "--share"]
    command += ["--port", str(port), "--model", str(tiny_export)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as app:
        assert app.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Inkling is open at "):
            lines.append(app.stdout.readline())
            assert lines[-1], lines
        line = app.stdout.readline()
        app.terminate()
    announced = next(k for k, one in enumerate(lines) if one.startswith("--share: for a week"))
    assert announced < next(
        k for k, one in enumerate(lines) if "share link" in one or "live" in one
    )
    assert line.startswith("Others on this network open http://")
    assert f":{port}/" in line and "127.0.0.1" not in line
