"""The page "Publish" is for the person at this computer only."""

from __future__ import annotations

import pytest

import app


@pytest.mark.parametrize(
    ("words", "is_there"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--share"], False),
    ],
)
def test_it_is_there_for_the_person_at_this_computer_only(
    words: list[str], is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    options = app.command_line(words)
    assert app.is_private(options) is is_there
    monkeypatch.setattr(app, "ON_SPACE", True)
    assert not app.is_private(options)
