"""A run that learns from other models: the loss, what it changes, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.corpus.tokenizer.tokenizer import gpt2
from trainer.model.build import full_decoder, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.loss import NextTokenLoss
from trainer.model.pretrained import open_teachers, over_compact_ids
from trainer.settings.command_line import parse
from trainer.settings.model import Model
from trainer.train import main

SHAPE = {"num_layers": 2, "hidden": 32, "num_heads": 2, "intermediate": 64, "context": 16}
RUN = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "64", "--optim.global_batch", "8", "--optim.steps", "12"),
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.evaluate_stories", "1"),
    *("--run.snapshots", "0", "--run.log_every", "1", "--runtime.precision", "fp32"),
]


@pytest.mark.parametrize("block", ["gpt2", "llama", "qwen3"])
def test_the_loss_is_that_of_the_teachers_mean_over_all_ids(
    block: str, vocabulary: CompactVocabulary
) -> None:
    shape = Model(block=block, **SHAPE)
    decoders = [new_decoder(shape, vocabulary, seed).eval() for seed in (1, 2, 3)]
    student, *taught = [
        full_decoder(shape, vocabulary, dict(one.named_parameters())) for one in decoders
    ]
    teachers = over_compact_ids(taught, vocabulary, torch.device("cpu"))
    ids = torch.randint(100, 160, (3, 13), generator=torch.Generator().manual_seed(2))
    inputs, targets = ids[:, :-1], ids[:, 1:]
    compact_ids = vocabulary.compact_id_of[ids]
    with torch.no_grad():
        logs = student(inputs).logits.log_softmax(-1)
        mean = torch.stack([one(inputs).logits.softmax(-1) for one in taught]).mean(0)
        alone = functional.nll_loss(logs.flatten(0, 1), targets.flatten())
        # A slot that many ids share is one outcome: that they are equally likely is known.
        shared = vocabulary.log_multiplicity.exp()[vocabulary.compact_id_of].log()
        together = -(mean * (logs + shared)).sum(-1).mean()
        for weight in (0.0, 0.3, 1.0):
            loss = NextTokenLoss(
                decoders[0], vocabulary, teachers=teachers, teacher_weight=weight
            ).eval()(compact_ids[:, :-1], compact_ids[:, 1:])
            wanted = (1 - weight) * alone + weight * together
            assert float(loss) == pytest.approx(float(wanted), abs=1e-5)


def test_a_slot_without_ids_is_no_trouble() -> None:
    """Of a vocabulary that is used in whole, the last rows stand for nothing."""
    every = CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=True)
    assert torch.isinf(every.log_multiplicity).any()
    shape = Model(block="llama", **SHAPE)
    student, teacher = (new_decoder(shape, every, seed) for seed in (1, 2))
    loss = NextTokenLoss(student, every, teachers=[teacher.eval()], teacher_weight=0.5)
    compact_ids = torch.arange(26).view(2, 13)
    nats = loss(compact_ids[:, :-1], compact_ids[:, 1:])
    nats.backward()
    assert torch.isfinite(nats)
    assert all(torch.isfinite(weight.grad).all() for weight in student.parameters())
    assert all(weight.grad is None for weight in teacher.parameters())


def test_a_large_head_is_computed_in_parts(
    vocabulary: CompactVocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoders = [new_decoder(Model(block="qwen3", **SHAPE), vocabulary, seed) for seed in (1, 2)]
    loss = NextTokenLoss(decoders[0], vocabulary, teachers=[decoders[1].eval()], teacher_weight=0.5)
    compact_ids = torch.randint(0, 60, (4, 13), generator=torch.Generator().manual_seed(2))
    whole = loss(compact_ids[:, :-1], compact_ids[:, 1:]).detach()
    monkeypatch.setattr("trainer.model.loss.AT_ONCE", 1)
    assert float(loss(compact_ids[:, :-1], compact_ids[:, 1:]).detach()) == pytest.approx(
        float(whole), abs=1e-6
    )


@pytest.mark.process  # Inductor's compiler
@pytest.mark.timeout(900)
def test_it_compiles(vocabulary: CompactVocabulary) -> None:
    shape = Model(block="qwen3", **SHAPE | {"num_layers": 1})
    decoders = [new_decoder(shape, vocabulary, seed) for seed in (1, 2)]
    loss = NextTokenLoss(decoders[0], vocabulary, teachers=[decoders[1].eval()], teacher_weight=0.5)
    compact_ids = torch.randint(0, 60, (4, 13), generator=torch.Generator().manual_seed(2))
    found = []
    for compiles in (False, True):
        if compiles:
            loss.compile()
        nats = loss(compact_ids[:, :-1], compact_ids[:, 1:])
        nats.backward()
        found.append((nats.detach(), [weight.grad for weight in decoders[0].parameters()]))
        decoders[0].zero_grad()
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, stores: Path) -> Path:
    """Two finished runs, beside a link to the shared stores."""
    home = tmp_path_factory.mktemp("home")
    (home / "data").symlink_to(stores)
    for seed in ("1", "2"):
        assert run(home, seed, "--run.seed", seed) == 0
    return home


def run(home: Path, name: str, *more: str) -> int:
    folders = ["--run.dir", str(home / name), "--corpus.folder", str(home / "data")]
    return main([*RUN, *folders, *more])


@pytest.mark.slow
def test_a_run_with_teachers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teachers = ["--model.teachers", f"{home / '1'}, {home / '2' / 'export'}"]
    assert run(home, "taught", *teachers, "--run.minutes", "0.0001") == 0
    assert "taught by 2 models" in capsys.readouterr().err
    assert run(home, "taught", "--model.teachers", str(home / "1")) == 2
    assert "model.teachers was" in capsys.readouterr().err
    assert run(home, "taught", *teachers) == 0
    export = home / "taught" / "export"
    training = json.loads((export / "training.json").read_text())
    assert training["settings"]["model"]["teachers"] == "1,export"  # nobody's folders
    assert "1, export (50 % of the loss)" in (export / "README.md").read_text()


@pytest.mark.slow
def test_teachers_that_cannot_teach_are_refused(home: Path, tmp_path: Path) -> None:
    for name, more, wanted in (
        ("nobody", [], "there is no model folder"),
        (str(home / "1"), ["--model.context", "128"], "looks back on 64 tokens"),
    ):
        with pytest.raises(ValueError, match=wanted):
            open_teachers(parse(["--model.teachers", name, *more]), gpt2())
    assert open_teachers(parse([]), gpt2()) == []


@pytest.mark.slow
def test_a_teacher_of_another_vocabulary_is_refused(home: Path) -> None:
    own = ["--corpus.tokenizer", "train:300", "--run.seed", "3"]
    assert run(home, "own", *own) == 0
    with pytest.raises(ValueError, match=r"own has another vocabulary than the stories \(GPT-2"):
        open_teachers(
            parse(["--model.teachers", str(home / "own"), "--model.context", "64"]), gpt2()
        )
