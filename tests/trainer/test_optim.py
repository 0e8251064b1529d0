"""The learning rate is a function of the step; matrices decay, gains do not; Muon's updates are
orthogonal."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.model.build import new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.optim.muon import orthogonalize
from trainer.optim.optimizer import new_optimizer
from trainer.optim.schedule import learning_rate
from trainer.settings.model import Model
from trainer.settings.optim import OPTIMIZERS, Optim


def test_warm_up_is_linear_then_cosine_falls_to_the_end() -> None:
    settings = Optim(lr=1.0, warmup_ratio=0.1, final_lr_ratio=0.1)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.55)
    assert all(later < earlier for earlier, later in zip(rates[10:], rates[11:], strict=False))
    assert 0.1 < rates[-1] < 0.11


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_a_run_of_a_few_steps_has_a_rate_above_zero(num_steps: int) -> None:
    assert all(learning_rate(Optim(), step, num_steps) > 0 for step in range(num_steps))


def test_only_matrices_decay() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    matrices, vectors = new_optimizer(Optim(weight_decay=0.5), model).param_groups
    assert [tuple(weight.shape) for weight in matrices["params"]] == [(3, 4)]
    assert matrices["weight_decay"] == 0.5
    assert len(vectors["params"]) == 3
    assert vectors["weight_decay"] == 0


def test_a_step_before_the_rate_is_set_moves_nothing() -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    optimizer = new_optimizer(Optim(), model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(model.weight, before)


def test_wsd_is_level_and_then_falls_in_a_straight_line() -> None:
    settings = Optim(lr=1.0, warmup_ratio=0.1, schedule="wsd", decay_ratio=0.5)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[9:50] == [1.0] * 41
    assert rates[50:] == pytest.approx([(100 - step) / 50 for step in range(50, 100)])


def test_a_fall_longer_than_the_run_begins_after_the_warm_up() -> None:
    settings = Optim(lr=1.0, warmup_ratio=0.1, schedule="wsd", decay_ratio=1.0)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 24, 8), (1, 8, 24)])
def test_muons_updates_are_nearly_orthogonal_and_as_long_as_adamws(shape: tuple) -> None:
    torch.manual_seed(0)
    found = orthogonalize(torch.randn(shape), torch.float32)
    lengths = torch.linalg.svdvals(found) / (0.2 * max(shape[1:]) ** 0.5)
    assert lengths.max() < 1.25
    assert lengths.median() > 0.6
    assert found.square().mean().sqrt() == pytest.approx(0.2, rel=0.25)


@pytest.mark.parametrize(
    ("block", "kv_heads", "count"),
    [("gpt2", 0, 4), ("gpt_neo", 0, 6), ("llama", 0, 7), ("llama", 1, 7), ("qwen3", 1, 7)],
)
def test_muon_takes_the_matrices_inside_the_blocks(block: str, kv_heads: int, count: int) -> None:
    shape = Model(
        block=block, num_layers=2, hidden=16, num_heads=2, kv_heads=kv_heads, intermediate=32,
        context=8,
    )  # fmt: skip
    decoder = new_decoder(
        shape, CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=False), 1
    )
    optimizer = new_optimizer(Optim(optimizer="muon"), decoder)
    assert len(optimizer.param_groups[0]["params"]) == count * shape.num_layers
    table = decoder.get_input_embeddings().weight
    assert optimizer.state_keys(table) == ("exp_avg", "exp_avg_sq")
    assert optimizer.state_keys(optimizer.matrices[0]) == ("exp_avg",)
    taken = [weight for group in optimizer.param_groups for weight in group["params"]]
    assert len(taken) == len(list(decoder.parameters()))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_skipped_update_changes_no_weight_and_no_moment(optimizer: str) -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(4, 4)])})
    own = new_optimizer(Optim(optimizer=optimizer), model)
    layer = model["layers"][0]

    def update(scale: float, found_inf: float) -> None:
        layer(torch.ones(1, 4)).mul(scale).square().sum().backward()
        for group in own.param_groups:
            group["lr"] = 0.1
        own.found_inf = torch.tensor(found_inf)
        own.step()
        own.zero_grad()

    update(1.0, 0.0)
    before = [weight.detach().clone() for weight in model.parameters()]
    memory = [own.state[weight]["exp_avg"].clone() for weight in model.parameters()]
    update(float("nan"), 1.0)
    for weight, old, momentum in zip(model.parameters(), before, memory, strict=True):
        assert torch.equal(weight, old)
        assert torch.equal(own.state[weight]["exp_avg"], momentum)
    update(1.0, 0.0)
    assert not torch.equal(layer.weight, before[0])
    assert torch.isfinite(layer.weight).all()


def test_lion_is_its_definition() -> None:
    """Chen et al. 2023, algorithm 2, with the step and the decay on AdamW's scale."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    own = new_optimizer(Optim(optimizer="lion", weight_decay=0.1, beta1=0.9, beta2=0.95), model)
    own.to_device(torch.device("cpu"), capturable=False)
    own.set_rate(0.01)
    expected = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    momenta = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    for _ in range(3):
        gradients = {name: torch.randn_like(weight) for name, weight in expected.items()}
        for name, weight in model.named_parameters():
            weight.grad = gradients[name].clone()
            decay = 0.1 * expected[name] if weight.dim() == 2 else 0.0
            sign = (0.9 * momenta[name] + 0.1 * gradients[name]).sign()
            expected[name] = expected[name] - 0.01 * (0.2 * sign + decay)
            momenta[name] = 0.95 * momenta[name] + 0.05 * gradients[name]
        own.step()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[name])
        torch.testing.assert_close(own.state[weight]["exp_avg"], momenta[name])
