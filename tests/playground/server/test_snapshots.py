"""What the snapshots of a model write: the endpoints, with a tiny model."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.server.page_calls import PageCalls
from playground.server.snapshots import OPEN_AT_ONCE, Snapshots

STEPS = range(1, 7)
MADE = ("config.json", "generation_config.json", "model.safetensors")  # of a snapshot
SETTINGS: dict[str, Any] = {"temperature": 0.8, "top_k": 40, "length": 12}


def take(model: Path, folder: Path, step: int) -> None:
    """A snapshot as the trainer writes it, without a tokenizer."""
    place = folder / f"step-{step:08d}"
    place.mkdir(parents=True)
    for name in MADE:
        if (model / name).is_file():
            shutil.copy(model / name, place)
    record = {
        "step": step,
        "tokens_seen": step * 100,
        "loss": 10.0 - step,
        "stories": [{"prompt": "Once", "story": "Once upon"}],
    }
    (place / "snapshot.json").write_text(json.dumps(record), encoding="utf-8")


@pytest.fixture
def snapshots(tiny_export: Path, tmp_path: Path) -> Iterator[Snapshots]:
    """Six snapshots of a model, which all have its weights."""
    for step in STEPS:
        take(tiny_export, tmp_path / "snapshots", step)
    model = ModelFolder.open(tiny_export, device="cpu")
    model.snapshots = tmp_path / "snapshots"
    with Engine(model) as engine:
        made = Snapshots(PageCalls({"tiny": engine}))
        yield made
        made.close()


def ask(step: int, **others: Any) -> dict[str, Any]:
    return {"model": "tiny", "step": step, "settings": SETTINGS, "seeds": [7]} | others


def test_each_writes_with_the_draws_of_the_model(snapshots: Snapshots) -> None:
    engine = snapshots.page.engine("tiny")
    with engine.write("Once upon", Settings(**SETTINGS, seed=7), completes_word=True) as stream:
        ids = [token.token_id for token in stream]
    for step in (1, 6):
        found = snapshots.page_snapshot_story(ask(step, text="Once upon"))
        assert [token_id for _, _, token_id in found["tokens"]] == ids
        whole = found["prompt"] + "".join(text for text, _, _ in found["tokens"])
        assert whole == stream.story.text
    other = snapshots.page_snapshot_story(ask(1, text="Once upon", seeds=[8]))
    assert [token_id for _, _, token_id in other["tokens"]] != ids


def test_at_most_three_are_open_and_the_one_that_was_used_first_is_closed(
    snapshots: Snapshots,
) -> None:
    for step in STEPS:
        snapshots.page_snapshot_score(ask(step, text="A fox."))
        assert len(snapshots.opened) <= OPEN_AT_ONCE
    kept = dict(snapshots.opened)
    snapshots.page_snapshot_score(ask(4, text="A fox."))
    assert list(snapshots.opened.values()) == [
        kept[key] for key in [*list(kept)[1:], list(kept)[0]]
    ]
    snapshots.page_snapshot_score(ask(1, text="A fox."))
    assert not any("step-00000005" in key for key in snapshots.opened)


def test_the_surprise_is_the_model_s_own(snapshots: Snapshots) -> None:
    found = snapshots.page_snapshot_score(ask(3, text="A fox ran."))["tokens"]
    own = snapshots.page.page_score({"model": "tiny", "ids": [], "text": "A fox ran."})["tokens"]
    assert found == own


def test_one_that_is_taken_now_is_listed(snapshots: Snapshots, tiny_export: Path) -> None:
    listed = snapshots.page_snapshots({"model": "tiny"})["stages"]
    assert listed[1] == {"step": 2, "tokens": 200, "loss": 8.0, "story": "Once upon"}
    folder = snapshots.page.engine("tiny").storyteller.snapshots
    assert folder is not None
    take(tiny_export, folder, 20)
    later = snapshots.page_snapshots({"model": "tiny"})["stages"]
    assert [one["step"] for one in later] == [*STEPS, 20]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"step": 9}, "no snapshot of step 9"),
        ({"step": "1"}, "step must be a whole number"),
        ({"text": 3}, "must be text"),
        ({"seeds": []}, "seeds must be a list"),
        ({"settings": {"length": "x"}}, "length must be a whole number"),
        ({"model": "other"}, "There is no model"),
    ],
)
def test_what_is_wrong_is_said(snapshots: Snapshots, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        snapshots.page_snapshot_story(ask(1, text="Once") | wrong)
    assert not snapshots.opened


def test_equal_columns_are_equal_alone_and_with_30_others(snapshots: Snapshots) -> None:
    """Compare asks for a model twice and for a snapshot with its weights."""

    async def model(seed: int) -> list[int]:
        request = ask(0, ids=[], text="Once upon,", seeds=[seed])
        ids: list[int] = []
        typed = 0
        async for message in snapshots.page.page_write(request):
            typed = message.get("typed", typed)
            ids += [one for _, _, _, new in message["new"] for one in new]
        return ids[typed:]

    async def snapshot() -> list[int]:
        request = ask(3, text="Once upon,")
        found = await asyncio.to_thread(snapshots.page_snapshot_story, request)
        return [token_id for _, _, token_id in found["tokens"]]

    async def columns(others: int) -> list[list[int]]:
        seeds = range(100, 100 + others)
        return (await asyncio.gather(model(7), model(7), snapshot(), *map(model, seeds)))[:3]

    alone = asyncio.run(columns(0))
    assert alone[0] and alone[0] == alone[1] == alone[2]
    assert asyncio.run(columns(30)) == alone
