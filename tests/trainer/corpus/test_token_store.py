"""An open store: what it gives, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.gpt2 import END_OF_TEXT
from tests.paths import ROOT
from trainer.corpus import build_store
from trainer.corpus.store.token_store import TokenStore, gather, open_store
from trainer.settings.corpus import Corpus
from trainer.storage import checksummed_json

from .conftest import write_jsonl


@pytest.fixture
def store(tmp_path: Path, stories: list[str], settings: Callable[..., Corpus]) -> TokenStore:
    file = write_jsonl(tmp_path / "stories.jsonl", stories)
    return build_store(settings(file, validation_share=0.2))


def test_the_stories_come_back_as_they_were(store: TokenStore, stories: list[str]) -> None:
    splits = [list(store.stories(name)) for name in ("train", "validation")]
    assert sorted(splits[0] + splits[1]) == sorted(stories)
    assert splits[0] == [story for story in stories if story in splits[0]]  # in their order
    assert list(store.stories("train", 3)) == splits[0][:3]
    for name, split in zip(("train", "validation"), splits, strict=True):
        ids = store.split(name)
        assert ids.dtype == np.uint16
        assert not ids.flags.writeable
        assert store.num_stories(name) == len(split) == np.count_nonzero(ids == END_OF_TEXT) > 20
        assert store.num_bytes(name) == sum(len(story.encode()) for story in split)
        assert store.num_tokens(name) == len(ids)
        assert ids[-1] == END_OF_TEXT
        assert np.array_equal(store.id_counts(name), np.bincount(ids, minlength=50_257))
    assert store.summary("train")["tokens"] == store.num_tokens("train")


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), st.integers(1, 50))
def test_blocks_predict_every_id_but_the_first_once(num_ids: int, context: int) -> None:
    ids = np.arange(num_ids, dtype=np.uint16)
    num_blocks = max(0, (num_ids - 1) // context)
    found = gather(ids, np.arange(num_blocks) * context, context)
    assert found.shape == (num_blocks, context + 1)
    assert found[:, 1:].ravel().tolist() == list(range(1, num_blocks * context + 1))
    assert np.array_equal(found[:, 1:], found[:, :-1] + 1)
    assert num_ids - 1 - num_blocks * context < context or num_ids == 0


def test_a_block_at_the_end_continues_at_the_start() -> None:
    ids = np.arange(10, dtype=np.uint16)
    assert gather(ids, [7, 3], 5).tolist() == [[7, 8, 9, 0, 1, 2], [3, 4, 5, 6, 7, 8]]


def test_an_empty_split(
    tmp_path: Path, stories: list[str], settings: Callable[..., Corpus]
) -> None:
    file = write_jsonl(tmp_path / "stories.jsonl", stories)
    store = build_store(settings(file, validation_share=0))
    assert len(store.split("validation")) == 0
    assert store.num_blocks("validation", 8) == 0
    assert list(store.stories("validation")) == []


@pytest.mark.parametrize(
    ("file", "damage", "wrong"),
    [
        ("train/tokens.bin", lambda data: data[:-2], "bytes where"),
        ("train/tokens.bin", lambda data: data + b"\0\0", "bytes where"),
        ("validation/id_counts.bin", None, "is missing"),
        ("store.json", lambda data: data.replace(b'"stories": 2', b'"stories": 3'), "is damaged"),
        ("store.json", lambda data: data[:100], "is damaged"),
        ("store.json", lambda data: b"[]", "is damaged"),
        ("store.json", lambda data: b"\xff", "is damaged"),
        ("store.json", None, "is not a token store"),
    ],
)
def test_a_damaged_store_is_refused(
    store: TokenStore, file: str, damage: Callable[[bytes], bytes] | None, wrong: str
) -> None:
    path = store.folder / file
    before = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        assert damage(before) != before
        path.write_bytes(damage(before))
    with pytest.raises(ValueError, match=wrong):
        open_store(store.folder)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [({"format": 2}, "has format 2, not 1"), ({"fingerprint": "0" * 64}, "is not that of its")],
)
def test_a_store_of_another_kind_is_refused(
    store: TokenStore, change: dict[str, object], wrong: str
) -> None:
    (store.folder / "store.json").write_text(
        checksummed_json.dumps(store.info | change), encoding="utf-8"
    )
    with pytest.raises(ValueError, match=wrong):
        open_store(store.folder)


def test_verify_rereads_every_byte(store: TokenStore) -> None:
    files = [path for path in store.folder.rglob("*.bin")]
    assert store.verify() == sum(file.stat().st_size for file in files)
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"shard 0 of {file} is not what was written"):
            open_store(store.folder).verify()
        content[len(content) // 2] ^= 1
        file.write_bytes(content)


def test_store_json_is_for_people_and_programs(store: TokenStore) -> None:
    content = json.loads((store.folder / "store.json").read_text(encoding="utf-8"))
    assert content["format"] == 1
    assert content["read"]["stories"] == 200
    assert content["recipe"]["rules"]["lower_case"] is False
    assert content["dropped"]["duplicate"] == 0


@pytest.mark.process
def test_a_finished_store_needs_neither_datasets_nor_tiktoken_nor_ftfy(store: TokenStore) -> None:
    program = f"""
import sys
for name in ("datasets", "pyarrow", "ftfy", "tiktoken", "datasketch", "huggingface_hub", "torch"):
    sys.modules[name] = None
import trainer.corpus
from trainer.corpus.store.token_store import gather, open_store
from trainer.corpus.store.block_order import BlockOrder
store = open_store({str(store.folder)!r})
order = BlockOrder(store.num_blocks("train", 64), 8, 1)
ids = gather(store.split("train"), order.starts(3, 64, shifted=True), 64)
print(ids.shape, store.id_counts("train").sum() == store.num_tokens("train"))
print(len(list(store.stories("validation", 5))))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(8, 65) True\n5\n", done.stderr
