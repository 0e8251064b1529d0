"""A run with a vocabulary of its own: trained, resumed, exported, opened elsewhere, judged."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from playground.generate import main as write
from tests.paths import ROOT
from tests.trainer.llama_cpp import continued_by_llama_cpp
from tests.trainer.pirates import pirate_story
from trainer.corpus.store.token_store import TokenStore, open_store
from trainer.evaluate.__main__ import main as judge
from trainer.export.__main__ import main as convert
from trainer.model.load import trained_ids
from trainer.train import main

TINY = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "64", "--optim.global_batch", "8", "--optim.steps", "20"),
    *("--run.save_every", "10", "--run.validate_every", "20", "--run.validate_blocks", "2"),
    *("--run.sample_length", "2", "--run.evaluate_stories", "2", "--run.snapshots", "2"),
    *("--run.log_every", "10", "--runtime.precision", "fp32"),
]
pytestmark = pytest.mark.slow  # all of it needs a finished run
OWN = [*TINY, "--corpus.tokenizer", "train:512"]
TEXT = "Tom said:  \"It's 12 o'clock!\"\n\n  किताब 📚"


def folders(home: Path, name: str) -> list[str]:
    return ["--run.dir", str(home / name), "--corpus.folder", str(home / "data")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, `run`, of a model over 512 ids."""
    home = tmp_path_factory.mktemp("home")
    assert main([*OWN, *folders(home, "run")]) == 0
    return home


@pytest.fixture(scope="module")
def store(home: Path) -> TokenStore:
    (folder,) = home.glob("data/sample-*/")
    return open_store(folder)


def test_stock_transformers_opens_the_export(home: Path, store: TokenStore) -> None:
    folder = home / "run" / "export"
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == 512
    end = tokenizer.eos_token_id
    assert model.config.eos_token_id == model.generation_config.pad_token_id == end == 511
    ids = tokenizer(TEXT).input_ids
    assert ids == [end, *store.tokenizer.encode([TEXT]).tolist()[:-1]]
    assert tokenizer.decode(ids, skip_special_tokens=True) == TEXT
    written: Any = model.generate(**tokenizer("Once", return_tensors="pt"), max_new_tokens=5)
    assert written.max() < 512
    training = json.loads((folder / "training.json").read_text())
    assert training["corpus"]["tokenizer"] == "its own (byte-level BPE), 512 ids"
    assert "| tokenizer | its own (byte-level BPE), 512 ids |" in (folder / "README.md").read_text()


def test_a_stopped_run_resumes_exactly(
    home: Path, capsys: pytest.CaptureFixture[str], store: TokenStore
) -> None:
    whole = home / "run" / "checkpoints" / "step-00000020" / "weights.safetensors"
    folder = home / "resumed"
    shutil.copytree(home / "run", folder)
    shutil.rmtree(folder / "export")
    shutil.rmtree(folder / "checkpoints" / "step-00000020")
    assert main([*OWN, *folders(home, "resumed")]) == 0
    assert "resuming after step 10 of 20" in capsys.readouterr().err
    again = folder / "checkpoints" / "step-00000020" / "weights.safetensors"
    assert again.read_bytes() == whole.read_bytes()
    shutil.rmtree(folder / "export")
    other = [word if word != "train:512" else "train:500" for word in OWN]
    for words in (TINY, other):
        assert main([*words, *folders(home, "resumed")]) == 2
        message = capsys.readouterr().err.splitlines()[-1]
        assert "was started with other settings" in message and "another tokenizer" in message
        assert f"--corpus.source {store.folder}" in message


def test_bits_per_byte_are_those_of_export_checkpoint_and_snapshot(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stories.jsonl"
    file.write_text("\n".join(json.dumps({"text": pirate_story(number)}) for number in range(3)))
    found = []
    for name in ("export", "checkpoints/step-00000020", "snapshots/step-00000020"):
        words = [str(home / "run" / name), "--stories", str(file), "--json"]
        assert judge([*words, "--corpus.folder", str(home / "data")]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["bits_per_byte"] == found[1]["bits_per_byte"] > 1
    assert found[2]["bits_per_byte"] == pytest.approx(found[0]["bits_per_byte"], rel=1e-3)  # fp16
    nats = found[0]["nats_per_token"] * found[0]["tokens"]
    assert found[0]["bits_per_byte"] == pytest.approx(nats / np.log(2) / found[0]["bytes"])


def test_the_playground_writes_with_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prompt", "Once upon a time", "--length", "12", "--temperature", "0"]
    assert write([str(home / "run" / "export"), *words]) == 0
    output = capsys.readouterr().out
    folder = home / "run" / "export"
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    start = tokenizer("Once upon a time", return_tensors="pt")
    ids = model.generate(**start, max_new_tokens=12, do_sample=False)[0]
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() in output


@pytest.mark.process  # llama.cpp may abort
def test_llama_cpp_reads_its_words(home: Path, store: TokenStore, tmp_path: Path) -> None:
    """Vowel signs are part of a word for it too: the prompt has as many tokens."""
    file = tmp_path / "model.gguf"
    assert convert(["gguf", str(home / "run" / "export"), str(file)]) == 0
    num_ids, text = continued_by_llama_cpp(file, TEXT)
    assert num_ids == len(store.tokenizer.encode([TEXT]))  # one in front, none at the end
    folder = home / "run" / "export"
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    found = model.generate(ids, do_sample=False, min_new_tokens=20, max_new_tokens=20)
    assert text.startswith(tokenizer.decode(found[0, ids.shape[1] :])[:8])


def test_a_model_of_one_vocabulary_starts_a_run_of_another(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its own tokenizer all rows are kept; with another one a note says what they begin as."""
    file = tmp_path / "pirates.jsonl"
    file.write_text("\n".join(json.dumps({"text": pirate_story(number)}) for number in range(40)))
    export = home / "run" / "export"
    quick = [*TINY[10:], "--optim.steps", "2", "--run.save_every", "1"]
    quick += ["--corpus.source", str(file)]
    start = ["--preset", "smoke", "--model.init_from", str(export)]
    kept = [*start, *quick, *folders(home, "kept"), "--corpus.tokenizer", str(export)]
    assert main(kept) == 0
    message = capsys.readouterr().err
    assert "its own (byte-level BPE), 512 ids" in message and "note: the vocabulary" not in message
    assert main([*start, *quick, *folders(home, "changed")]) == 0
    assert f"note: the vocabulary of {export} is another" in capsys.readouterr().err
    rows: list[Any] = [
        AutoModelForCausalLM.from_pretrained(home / name / "export").get_input_embeddings().weight
        for name in ("kept", "changed")
    ]
    assert [len(table) for table in rows] == [512, 50_257]
    model: Any = AutoModelForCausalLM.from_pretrained(export)
    first, seen = model.get_input_embeddings().weight, trained_ids(model) == 1
    assert torch.allclose(rows[0][seen], first[seen], atol=0.01)


def test_a_finished_store_is_enough(
    store: TokenStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is trained from elsewhere, without the stories; and never as if it were GPT-2's."""
    carried = tmp_path / "carried"
    shutil.copytree(store.folder, carried)
    words = ["--corpus.source", str(carried), "--run.dir", str(tmp_path / "run")]
    assert main([*TINY, *words, "--run.dry_run", "true"]) == 2
    message = capsys.readouterr().err
    assert f"give --corpus.tokenizer {carried / 'tokenizer.json'}" in message
    assert main([*OWN, *words, "--run.dry_run", "true"]) == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("train:100", "corpus.tokenizer train:N: N is 258"),
        ("train:70000", "to 65,536, not 70000"),
        ("train:abc", "not abc"),
        ("nowhere.json", "corpus.tokenizer nowhere.json cannot be read"),
        ("README.md", "corpus.tokenizer README.md is not a tokenizer.json"),
    ],
)
def test_what_cannot_be_is_one_message(
    name: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    assert main([*TINY, *folders(tmp_path, "run"), "--corpus.tokenizer", name]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and sentence in last
    assert not list(tmp_path.rglob("*.json"))
