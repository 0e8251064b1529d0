"""The command, as a person starts it."""

from __future__ import annotations

import json

import pytest

from playground.inside.__main__ import main
from tests.paths import ROOT

MODEL = str(ROOT / "models" / "storyteller")
PROMPT = "Once upon a time, there was a little girl named Mia. Mia went to the park"


def test_it_says_what_layers_would_have_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([MODEL, "--prompt", PROMPT, "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('Token 17: " park"\n')
    assert text.count("\n    6  ") == 2  # the last of six layers, twice
    assert "(tokens not in its training data)" in text
    assert "when an earlier token is deleted" in text


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([MODEL, "--prompt", PROMPT, "--token", "4", "--json", "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"][:5] == ["Once", " upon", " a", " time", ","]
    assert (found["position"], found["first"]) == (4, -1)
    assert [index for index, _ in found["removed"]] == [3, 2, 1, 0]
    assert found["layers"][-1]["rank"] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([MODEL, "--prompt", "Once", "--token", "7"], "--token must be from 0 to 0, not 7"),
        ([MODEL, "--prompt", ""], "write something first"),
        (["nowhere", "--prompt", "Once"], "nowhere"),
        ([MODEL], "--prompt"),
    ],
)
def test_a_slip_is_one_sentence(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *(["--device", "cpu"] if "--prompt" in arguments else [])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and complaint in error and "Traceback" not in error
