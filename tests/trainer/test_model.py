"""Shapes, and the loss over slots against a stock transformers model over all ids."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.model.build import full_decoder, new_decoder, stock_class, stock_config
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.loss import NextTokenLoss
from trainer.settings.blocks import BLOCKS
from trainer.settings.model import Model


def tiny(block: str, dropout: float = 0.0) -> Model:
    return Model(
        block=block,
        num_layers=2,
        hidden=32,
        num_heads=2,
        intermediate=64,
        context=16,
        dropout=dropout,
    )


@pytest.mark.parametrize(
    ("block", "context", "size"),
    [("gpt2", 128, 17_637_632), ("llama", 512, 19_160_576), ("qwen3", 512, 19_161_344)],
)
def test_the_card_s_size(block: str, context: int, size: int) -> None:
    with torch.device("meta"):
        settings = Model(block=block, context=context)
        model = stock_class(settings)(stock_config(settings, SIZE))
    assert model.num_parameters() == size
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("block", BLOCKS)
def test_the_loss_over_slots_is_the_stock_model_s(
    block: str, vocabulary: CompactVocabulary
) -> None:
    settings = tiny(block)
    model = NextTokenLoss(new_decoder(settings, vocabulary, seed=1), vocabulary).eval()
    ids = torch.randint(100, 160, (3, 13), generator=torch.Generator().manual_seed(2))
    ids[0, -1] = 7  # not in the corpus: a validation story may hold such an id
    compact_ids = vocabulary.compact_id_of[ids]
    full = full_decoder(settings, vocabulary, dict(model.decoder.named_parameters()))
    assert full.config.vocab_size == SIZE
    with torch.no_grad():
        mine = model(compact_ids[:, :-1], compact_ids[:, 1:])
        stock = functional.cross_entropy(
            full(ids[:, :-1]).logits.flatten(0, 1), ids[:, 1:].flatten()
        )
    torch.testing.assert_close(mine, stock, rtol=1e-5, atol=1e-5)


class Largest(TorchDispatchMode):
    """Notes the largest fp32 tensor that has an entry for every slot."""

    def __init__(self, num_compact_ids: int) -> None:
        super().__init__()
        self.num_compact_ids, self.found = num_compact_ids, 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        result = operator(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple) else [result]:
            if (
                isinstance(made, torch.Tensor)
                and made.dtype == torch.float32
                and made.shape[-1:] == (self.num_compact_ids,)
            ):
                self.found = max(self.found, made.numel())
        return result


def test_the_products_are_bf16_whatever_an_engine_does_around_the_model(
    vocabulary: CompactVocabulary,
) -> None:
    """DeepSpeed turns autocast off around the module that it is given."""
    model = NextTokenLoss(new_decoder(tiny("qwen3"), vocabulary, seed=1), vocabulary)
    model.dtype = torch.bfloat16
    found = []
    projection = next(part for name, part in model.named_modules() if name.endswith("v_proj"))
    projection.register_forward_hook(lambda _, __, output: found.append(output.dtype))
    compact_ids = torch.arange(12).reshape(1, 12)
    with torch.autocast("cpu", enabled=False):
        loss = model(compact_ids[:, :-1], compact_ids[:, 1:])
    assert found == [torch.bfloat16]
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
def test_a_large_head_in_parts_has_the_same_loss_and_gradient(
    monkeypatch: pytest.MonkeyPatch, z_loss: float
) -> None:
    vocabulary = CompactVocabulary.of(
        np.repeat([1, 0], [150, SIZE - 150]), END_OF_TEXT, compact=True
    )
    assert vocabulary.num_compact_ids == 192  # no other tensor is as wide
    model = NextTokenLoss(new_decoder(tiny("qwen3"), vocabulary, seed=1), vocabulary, z_loss)
    compact_ids = torch.randint(150, (5, 25), generator=torch.Generator().manual_seed(2))
    found = []
    for blocks in (5, 2):
        most = blocks * 24 * vocabulary.num_compact_ids
        monkeypatch.setattr("trainer.model.loss.AT_ONCE", most)
        model.zero_grad()
        with Largest(vocabulary.num_compact_ids) as largest:
            loss = model(compact_ids[:, :-1], compact_ids[:, 1:])
            loss.backward()
        assert largest.found == most
        found.append([loss.detach(), *(weight.grad.clone() for weight in model.parameters())])
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_same_seed_gives_the_same_weights(block: str, vocabulary: CompactVocabulary) -> None:
    first, second = (new_decoder(tiny(block), vocabulary, seed=5) for _ in range(2))
    for (name, one), (_, other) in zip(
        first.named_parameters(), second.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("block", BLOCKS)
def test_dropout_is_noise_while_training_and_nothing_after(
    block: str, vocabulary: CompactVocabulary
) -> None:
    model = NextTokenLoss(new_decoder(tiny(block, dropout=0.3), vocabulary, seed=1), vocabulary)
    ids = torch.arange(12).reshape(1, 12)

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        with torch.no_grad():
            return float(model(ids[:, :-1], ids[:, 1:]))

    model.train()
    assert loss(1) == loss(1)
    assert loss(1) != loss(2)
    model.eval()
    assert loss(1) == loss(2)


@pytest.mark.parametrize("block", BLOCKS)
def test_stochastic_depth_leaves_out_whole_blocks(
    block: str, vocabulary: CompactVocabulary
) -> None:
    shape = dataclasses.replace(tiny(block), stochastic_depth=0.8)
    decoder = new_decoder(shape, vocabulary, seed=1)
    outputs: dict[str, list[torch.Tensor]] = {}
    for name, module in decoder.named_modules():
        if name.endswith((".self_attn", ".attn", ".mlp")):

            def note(_: Any, __: Any, output: Any, name: str = name) -> None:
                first = output[0] if isinstance(output, tuple) else output
                outputs.setdefault(name, []).append(first)

            module.register_forward_hook(note)
    ids = torch.arange(12).repeat(400, 1)
    torch.manual_seed(0)
    with torch.no_grad():
        decoder.train()(ids)
        decoder.eval()(ids)
    assert len(outputs) == 4
    for name, (training, evaluated) in outputs.items():
        left_out = (training == 0).flatten(1).all(1)
        wanted = 0.4 if ".0." in name else 0.8  # rises from block to block
        assert float(left_out.float().mean()) == pytest.approx(wanted, abs=0.08)
        assert not (training[~left_out] == 0).flatten(1).all(1).any()
        assert not (evaluated == 0).flatten(1).all(1).any()
        if name.endswith("0.self_attn") or name.endswith("0.attn"):  # the same input in both
            scaled = evaluated[~left_out] / (1 - wanted)
            if block != "gpt2":
                torch.testing.assert_close(training[~left_out], scaled, rtol=1e-4, atol=1e-5)
