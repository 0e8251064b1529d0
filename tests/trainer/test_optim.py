"""The learning rate is a function of the step; matrices decay, gains do not."""

import pytest
import torch
from torch import nn

from trainer.config import Optim
from trainer.optim import adamw, learning_rate


def test_warm_up_is_linear_then_cosine_falls_to_the_end() -> None:
    settings = Optim(lr=1.0, warmup=0.1, final_lr=0.1)
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
    matrices, vectors = adamw(Optim(weight_decay=0.5), model).param_groups
    assert [tuple(weight.shape) for weight in matrices["params"]] == [(3, 4)]
    assert matrices["weight_decay"] == 0.5
    assert len(vectors["params"]) == 3
    assert vectors["weight_decay"] == 0


def test_a_step_before_the_rate_is_set_moves_nothing() -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    optimizer = adamw(Optim(), model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(model.weight, before)
