"""Next-token loss over the vocabulary's slots, one module so that head and loss compile into one
kernel.

At hidden 256 the 50,257-way head is 73 % of a step's arithmetic and its logits most of its
traffic; the slots of `Vocabulary` cut both to what the corpus uses. The logits of all tokens never
exist in fp32: compiled, the cast of the bf16 ones, the multiplicities and the log-sum-exp are one
pass; otherwise a large head is computed for some blocks at a time, and again on the way back.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from trainer.attention import StoryAttention
from trainer.compact_vocabulary import Vocabulary

AT_ONCE = 2**28  # fp32 logits of a head that is not compiled: 1 GiB


class NextTokenLoss(nn.Module):
    """A decoder with the loss it is trained on.

    Attributes:
        decoder: stock transformers model whose ids are the vocabulary's slots.
        story_attention: what keeps attention inside a story; None: it sees the whole block.
        dtype: arithmetic of the matrix products. Autocast is entered in here because DeepSpeed's
            engine turns one around it off on CUDA, without an error, and computes in fp32.
    """

    log_multiplicity: torch.Tensor
    dtype: torch.dtype = torch.float32

    def __init__(
        self,
        decoder: PreTrainedModel,
        vocabulary: Vocabulary,
        z_loss: float = 0.0,
        story_attention: StoryAttention | None = None,
    ) -> None:
        super().__init__()
        self.z_loss = z_loss
        self.story_attention = story_attention
        self.decoder = decoder
        self.register_buffer("log_multiplicity", vocabulary.log_multiplicity, persistent=False)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean nats per token of `targets` given `inputs`, both (batch, context) slots: a scalar.

        Every batch has the same number of tokens, so the mean over processes and micro-batches of
        this mean is the mean over the global batch's tokens.
        """
        enabled = self.dtype != torch.float32
        with torch.autocast(inputs.device.type, dtype=self.dtype, enabled=enabled):
            return self.mean_nats(inputs, targets)

    def mean_nats(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """`forward` in whatever arithmetic is in force."""
        # hidden: (batch, context, hidden)
        hidden = self.decoder.base_model(
            input_ids=inputs,
            use_cache=False,
            **(self.story_attention.arguments(inputs) if self.story_attention else {}),
        ).last_hidden_state
        blocks = max(1, AT_ONCE // (inputs.shape[1] * len(self.log_multiplicity)))
        if torch.compiler.is_compiling() or len(inputs) <= blocks:
            return self.nats(hidden, targets)
        parts = zip(hidden.split(blocks), targets.split(blocks), strict=True)
        sums = [
            checkpoint(self.nats, part, its, use_reentrant=False, preserve_rng_state=False)
            * len(its)
            for part, its in parts
        ]
        return torch.stack(sums).sum() / len(targets)

    def nats(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean nats per token of `targets` (batch, context) given the states before the head."""
        head = cast(torch.Tensor, self.decoder.get_input_embeddings().weight)  # tied
        # logits: (batch, context, slots)
        logits = functional.linear(hidden, head).float() + self.log_multiplicity
        # A target that the corpus does not use (validation may hold some) is one of those that
        # share its slot.
        shared = self.log_multiplicity[targets].mean()
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten()) + shared
        if self.z_loss and self.training:
            nats = nats + self.z_loss * logits.logsumexp(-1).square().mean()
        return nats
