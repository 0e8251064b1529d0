"""The endpoints that look a story up in the training stories: their answers and their checks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client

from playground.engine.engine import Engine
from playground.server.page_calls import PageCalls
from playground.server.trace import TraceApi
from playground.trace.index import Index
from trainer.corpus.store.build import build_store
from trainer.corpus.store.suffix_array import build_index
from trainer.settings.corpus import Corpus


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample with an index."""
    settings = Corpus(source="sample", folder=str(tmp_path_factory.mktemp("data")))
    built = build_store(settings)
    build_index(built)
    return built.folder


@pytest.fixture
def tracing(engine: Engine, store: Path) -> TraceApi:
    return TraceApi(PageCalls({"tiny": engine}), store)


def test_a_program_gets_what_the_index_finds(tracing: TraceApi, store: Path) -> None:
    index = Index(store)
    text = f"🦊 {index.text(index.tokens[:120])}"
    found = tracing.trace(text, 2)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(index.trace(text, 2).described()))
    assert found["runs"][0]["sources"] and found["share"] > 0.5
    assert tracing.trace(text, 0, "tiny")["runs"][0]["sources"] == ()


def test_the_page_counts_as_javascript_does(tracing: TraceApi, store: Path) -> None:
    index = Index(store)
    text = f"🦊 {index.text(index.tokens[:120])}"
    program, page = tracing.trace(text)["runs"][0], tracing.page_trace({"text": text})["runs"][0]
    assert (page["start"], page["end"]) == (program["start"] + 1, program["end"] + 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"text": 3}, "The prompt must be text"),
        ({"text": "a" * 20_001}, "The prompt has 20,001 characters"),
        ({"text": "a", "model": "other"}, "There is no model 'other' here"),
        ({"text": "a", "sources": 21}, "Sources must be from 0 to 20"),
        ({"text": "a", "sources": True}, "Sources must be a whole number"),
    ],
    ids=str,
)
def test_a_request_is_checked(tracing: TraceApi, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(gr.Error) as refused:
        tracing.trace(**arguments)
    assert refused.value.message.startswith(expected)


def test_a_model_without_an_index_says_how_to_make_one(engine: Engine) -> None:
    tracing = TraceApi(PageCalls({"tiny": engine}), None)
    with pytest.raises(ValueError, match="trainer.corpus index STORE"):
        tracing.page_trace({"text": "a", "model": "tiny"})


def test_an_index_that_cannot_be_opened_is_said_at_the_start(
    engine: Engine, store: Path, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "store")
    (tmp_path / "store" / "index" / "stories.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="stories.bin is missing or not as it was written"):
        TraceApi(PageCalls({"tiny": engine}), tmp_path / "store")


def test_the_served_endpoint_answers(client: Client) -> None:
    with pytest.raises(Exception, match="There is no index of this model's training stories"):
        client.predict("Once upon a time", api_name="/trace")
