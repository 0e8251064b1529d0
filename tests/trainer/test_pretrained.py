"""A run that starts from a model: its shape, its ids, lower loss at once; and what is refused."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from tests.gpt2 import SIZE
from tests.paths import TOKENIZER
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.evaluate.likelihood import evaluate
from trainer.model.build import stock_config
from trainer.model.load import give_ids, open_model, trained_ids
from trainer.model.pretrained import open_pretrained, shape_of
from trainer.settings.command_line import parse
from trainer.train import main

from .pirates import pirate_story

TINY = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "64", "--optim.global_batch", "8", "--optim.steps", "10"),
]
QUICK = [
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.evaluate_stories", "1"),
    *("--run.snapshots", "1", "--run.log_every", "1", "--runtime.precision", "fp32"),
]

pytestmark = pytest.mark.slow  # nearly all of it needs two finished runs


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    lines = (json.dumps({"text": pirate_story(number)}) for number in range(40))
    (home / "pirates.jsonl").write_text("\n".join(lines))
    return home


@pytest.fixture(scope="module", params=["qwen3", "gpt2"])
def run(request: pytest.FixtureRequest, home: Path) -> Path:
    """A finished run of each block, of two families."""
    folder = home / request.param
    folders = ["--run.dir", str(folder), "--corpus.folder", str(home / "data")]
    assert main([*TINY, *QUICK, *folders, "--model.block", request.param]) == 0
    return folder


def losses(folder: Path) -> list[float]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def fine_tune(home: Path, start: Path, name: str, *more: str) -> int:
    folders = ["--run.dir", str(home / name), "--corpus.folder", str(home / "data")]
    stories = ["--corpus.source", str(home / "pirates.jsonl"), "--optim.steps", "12"]
    settings = ["--model.init_from", str(start), *QUICK, *folders, *stories, *more]
    return main(["--preset", "smoke", *settings])


def test_a_run_starts_from_a_model_and_learns_the_new_stories(run: Path, home: Path) -> None:
    name = f"{run.name}-pirates"
    assert fine_tune(home, run / "export", name, "--optim.lr", "2e-3") == 0
    nats = losses(home / name)
    assert nats[0] < 10.5  # a fresh model begins at log(50,257) = 10.8
    assert nats[-1] < nats[0] - 0.2
    before, after = (open_model(place / "export")[0] for place in (run, home / name))
    assert after.config.hidden_size == 32 and type(after) is type(before)
    kept = trained_ids(before) <= trained_ids(after)
    assert kept.all()  # what it could say before it can say afterwards
    (checkpoint,) = (home / name / "checkpoints").glob("step-00000012")
    stories = [pirate_story(50)]
    found = nats_of(checkpoint, stories, home / "data")
    assert found == pytest.approx(nats_of(home / name, stories, home / "data"), rel=1e-6)
    card = (home / name / "export" / "README.md").read_text()
    tokens = json.loads((run / "export" / "training.json").read_text())["tokens_seen"]
    assert f"| started from | export, which had trained on {tokens:,} tokens |" in card
    training = json.loads((home / name / "export" / "training.json").read_text())
    assert training["settings"]["optim"]["global_batch"] == 8  # of fine-tuning
    assert training["settings"]["optim"]["lr"] == 2e-3  # as given


def test_everything_that_a_run_leaves_can_be_evaluated(run: Path, home: Path) -> None:
    stories = [pirate_story(number) for number in range(3)]
    stores = home / "data"
    (checkpoint,) = (run / "checkpoints").glob("step-00000010")
    (snapshot,) = (run / "snapshots").glob("step-00000010")
    places = {"run": run, "export": run / "export", "checkpoint": checkpoint, "snapshot": snapshot}
    nats = {name: nats_of(place, stories, stores) for name, place in places.items()}
    assert nats["run"] == nats["export"]
    assert nats["checkpoint"] == pytest.approx(nats["export"], rel=1e-6)
    assert nats["snapshot"] == pytest.approx(nats["export"], rel=2e-3)  # in fp16
    with pytest.raises(ValueError, match="needs the token store that it learned from"):
        open_model(checkpoint, stores=home / "nowhere")


def nats_of(name: Path, stories: list[str], stores: Path) -> float:
    model, tokenizer = open_model(name, stores=stores)
    return evaluate(model, stories, tokenizer).nats_per_token


def test_the_shape_is_the_models_and_another_is_refused(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fine_tune(home, run, "other", "--model.hidden", "64") == 2
    message = capsys.readouterr().err
    assert f"model.hidden is 64 and 32 in {run}" in message
    assert not (home / "other").exists()
    config, model = open_pretrained(parse(["--model.init_from", str(run)]))
    assert config.model.hidden == 32 and config.optim.lr == 5e-4
    assert model is not None


def test_a_model_of_another_vocabulary_reads_our_ids(tmp_path: Path) -> None:
    """Each of GPT-2's tokens begins as the mean of what the model's tokenizer writes it with."""
    bpe = ByteLevelBPETokenizer()
    stories = [pirate_story(number) for number in range(50)]
    bpe.train_from_iterator(stories, vocab_size=400, special_tokens=["<end>"], show_progress=False)
    theirs = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<end>")
    shape = parse(["--preset", "smoke", "--model.hidden", "16", "--model.intermediate", "32"]).model
    torch.manual_seed(0)
    small = LlamaForCausalLM(stock_config(shape, len(theirs)))  # type: ignore[arg-type]
    small.save_pretrained(tmp_path / "theirs")
    theirs.save_pretrained(tmp_path / "theirs")
    config, opened = open_pretrained(parse(["--model.init_from", str(tmp_path / "theirs")]))
    assert config.model.hidden == 16 and opened is not None
    model: Any = opened[0]
    assert give_ids(*opened, gpt2())
    table = small.get_input_embeddings().weight
    rows = model.get_input_embeddings().weight
    assert rows.shape == (SIZE, 16)
    assert torch.equal(rows[50_256], table[theirs.eos_token_id])
    ours = AutoTokenizer.from_pretrained(TOKENIZER)
    ids = theirs(" sailed", add_special_tokens=False).input_ids
    assert torch.allclose(rows[ours(" sailed").input_ids[0]], table[ids].mean(0))


def test_a_run_can_start_from_gpt_2_itself(tmp_path: Path) -> None:
    """The configuration of the 124M model, as the Hub has it, at a fraction of its size."""
    torch.manual_seed(0)
    small = GPT2Config(n_embd=24, n_layer=1, n_head=2, n_positions=32, n_inner=None)
    model: PreTrainedModel = GPT2LMHeadModel(small)
    assert shape_of(model.config, "gpt2").intermediate == 96


@pytest.mark.parametrize("name", ["nowhere", "nobody/nothing"])
def test_a_model_that_is_not_there_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert main(["--model.init_from", name, "--run.dir", str(tmp_path / "run")]) == 2
    assert name in capsys.readouterr().err.splitlines()[-1]
