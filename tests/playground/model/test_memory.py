"""How many stories fit in memory is computed before memory is allocated."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.model import memory
from playground.model.memory import Room, room_for
from playground.sampling import Settings
from tests.conftest import Exporter

GB = 10**9


@pytest.mark.parametrize(
    ("context", "per_token", "held", "room"),
    [
        (512, 12_288, 10 * GB, Room(64, 512)),  # the shipped model
        (1_024, 196_608, 10 * GB, Room(16, 1_024)),  # gpt2-medium: 25.8 GB for 64
        (131_072, 2_048, 10 * GB, Room(16, 131_072)),  # a context of 128k: 34 GB for 64
        (131_072, 65_536, 10 * GB, Room(8, 8_192)),
        (131_072, 65_536, 10**8, Room(2, 256)),
        (300, 0, 1, Room(64, 300)),  # nothing is kept of a token
        (512, 10**6, 10**6, None),
    ],
)
def test_stories_go_first_and_then_their_length(
    context: int, per_token: int, held: int, room: Room | None
) -> None:
    assert room_for(64, context, per_token, 0, held) == room
    if room is not None:
        assert 2 * room.streams * room.context * per_token <= held


def test_an_engine_keeps_to_its_memory_and_says_so(
    tiny: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with Engine(tiny, memory=700_000) as engine:
        assert (engine.max_streams, engine.context) == (8, 64)
        with engine.write("A fox", Settings(length=100, stop_at_end=False)) as stream:
            assert len(list(stream)) == 100
    assert "8 stories at once of 64 tokens each, not 64 of 64" in capsys.readouterr().err
    with pytest.raises(ValueError, match="out of memory"):
        Engine(tiny, memory=10_000)


def test_a_long_context_is_shortened(export: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    storyteller = ModelFolder.open(export("long", max_position_embeddings=131_072), device="cpu")
    with Engine(storyteller, memory=50_000_000) as engine:
        assert engine.context == 4_096
        with engine.write("A fox", Settings(length=5, stop_at_end=False)) as stream:
            assert len(list(stream)) == 5
    assert "of 4,096 tokens each" in capsys.readouterr().err


def test_a_container_s_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = memory.free_memory("cpu")
    assert 10**7 < found < 10**14
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    for name, content in (("max", "3000000"), ("current", "2500000"), ("stat", "inactive_file 7")):
        (tmp_path / f"memory.{name}").write_text(content)
    assert memory.free_memory("cpu") == 500_007
    (tmp_path / "memory.max").write_text("max")
    assert memory.free_memory("cpu") > 10**7
