"""A folder's tokenizer gives the ids, texts and special tokens that AutoTokenizer gives."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer

from playground.folder.config import read_config
from playground.folder.tokenizer import PythonTokenizer, Tokenizer, open_tokenizer
from tests.paths import ROOT, TOKENIZER
from tests.playground.folder.tokenizers_in_the_wild import END, KINDS, SENTENCES, stored

COUNT = 300
ODD = ["🦊", "é", "你好", "كان", "  ", "\n", "\t", "don't", "!?", "▁", "##s", "</w>", "<0x41>",
       "Ġ", "\u0120moon", "a\u0301", END, "<unk>", "[UNK]", "<new>", "<extra>",
       "<|later|>"]  # fmt: skip


def texts() -> list[str]:
    """Words, signs and special tokens in all orders, with and without spaces."""
    words = [*" ".join(SENTENCES).split(), *ODD]
    draw = random.Random(0)
    mixed = [
        draw.choice(["", " "]).join(draw.choices(words, k=draw.randint(1, 8))) for _ in range(COUNT)
    ]
    return ["", *SENTENCES, *mixed]


def check(folder: Path) -> Tokenizer:
    """Compare a folder's tokenizer with AutoTokenizer's of the same folder."""
    opened = open_tokenizer(folder, config=None)
    auto: Any = AutoTokenizer.from_pretrained(folder, config=AutoConfig.for_model("llama"))
    assert (opened.bos_token_id, opened.eos_token_id) == (auto.bos_token_id, auto.eos_token_id)
    assert opened.get_vocab() == auto.get_vocab()
    added = {number for number, token in auto.added_tokens_decoder.items() if token.special}
    assert opened.special == added | set(auto.all_special_ids)
    many = texts()
    ids = [opened.encode(text) for text in many]
    assert ids == auto(many, add_special_tokens=False).input_ids
    plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    assert [opened.decode(some) for some in ids] == [auto.decode(some, **plain) for some in ids]
    numbers = list(range(len(auto) + 5))
    assert [opened.token(number) for number in numbers] == auto.convert_ids_to_tokens(numbers)
    return opened


@pytest.mark.slow
@pytest.mark.parametrize("folder", [ROOT / "models" / "storyteller", TOKENIZER])
def test_gpt2s_as_it_ships_and_as_foreign_models_have_it(folder: Path) -> None:
    opened = check(folder)
    assert opened.bos_token_id == opened.eos_token_id == 50_256


def test_a_part_of_gpt2s(small_tokenizer: Path) -> None:
    check(small_tokenizer)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["train:350", "train:3000"])
def test_vocabularies_that_the_trainer_learned(how: str, tmp_path: Path) -> None:
    from trainer.corpus import build_store
    from trainer.export.transformers_folder import save_tokenizer
    from trainer.settings.corpus import Corpus

    built = build_store(Corpus(source="sample", folder=str(tmp_path / "data"), tokenizer=how))
    save_tokenizer(tmp_path, built.tokenizer, 64)
    opened = check(tmp_path)
    assert opened.eos_token_id == built.tokenizer.end_of_text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bos_token": "<new>"},  # which the vocabulary lacks
        {"bos_token": None, "pad_token": END},
        {"unk_token": {"__type": "AddedToken", "content": "moon", "lstrip": True, "rstrip": False,
                       "normalized": False, "single_word": False}},
        {"additional_special_tokens": ["<extra>", "moon"]},
        {"extra_special_tokens": {"image_token": "<extra>"}},
        {"split_special_tokens": True},
        {"added_tokens_decoder": {
            "999": {"content": "<|later|>", "lstrip": False, "rstrip": False, "normalized": False,
                    "single_word": False, "special": True},
            "1000": {"content": "fox", "lstrip": False, "rstrip": True, "normalized": True,
                     "single_word": True, "special": False},
        }},
    ],
)  # fmt: skip
def test_tokenizers_of_every_kind_with_settings(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    stored(KINDS[kind]()).save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    content = json.loads(file.read_text()) | settings
    if "added_tokens_decoder" not in settings:
        content.pop("added_tokens_decoder", None)
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    check(tmp_path)


def test_special_tokens_in_the_file_of_older_versions(tmp_path: Path) -> None:
    stored(KINDS["byte-level"]()).save_pretrained(tmp_path)
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"eos_token": {"content": END, "normalized": False}, "bos_token": "<new>"})
    )
    opened = check(tmp_path)
    assert (opened.token(opened.bos_token_id or 0), opened.eos_token_id) == ("<new>", 0)


def test_limits_of_other_uses_are_taken_off(tmp_path: Path) -> None:
    made = KINDS["byte-level"]()
    made.enable_truncation(3)
    made.enable_padding(length=20)
    made.save(str(tmp_path / "tokenizer.json"))
    assert len(open_tokenizer(tmp_path, config=None).encode(SENTENCES[0])) > 20


def test_a_folder_without_tokenizer_json_is_opened_by_transformers(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folder_of("gpt2"), tmp_path / "model"))
    whole = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(whole["vocab"]))
    merges = [one if isinstance(one, str) else " ".join(one) for one in whole["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    before = open_tokenizer(folder_of("gpt2"), config=None)
    opened = open_tokenizer(folder, read_config(folder))
    assert opened.backend_tokenizer is not None
    for text in SENTENCES:
        assert opened.encode(text) == before.encode(text)
        assert opened.decode(opened.encode(text)) == text


def test_a_tokenizer_in_python_has_the_same_methods(tmp_path: Path) -> None:
    from transformers import ByT5Tokenizer

    opened = PythonTokenizer(ByT5Tokenizer())
    ids = opened.encode("A fox")
    assert opened.backend_tokenizer is None
    assert opened.decode([*ids, opened.eos_token_id or 0]) == "A fox"
    assert (opened.token(ids[0]), opened.eos_token_id in opened.special) == ("A", True)
    assert opened.get_vocab()["A"] == ids[0]
