"""Next-token loss over the vocabulary's slots, one module so that head and loss compile into one
kernel.

At hidden 256 the 50,257-way head is 73 % of a step's arithmetic and its logits most of its
traffic; the slots of `Vocabulary` cut both to what the corpus uses. Compiled, the cast of the bf16
logits to fp32, the multiplicities and the log-sum-exp are one pass, so fp32 logits never reach
memory.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from trainer.vocabulary import Vocabulary


class NextTokenLoss(nn.Module):
    """A decoder with the loss it is trained on.

    Attributes:
        decoder: stock transformers model whose ids are the vocabulary's slots.
    """

    log_multiplicity: torch.Tensor

    def __init__(
        self, decoder: PreTrainedModel, vocabulary: Vocabulary, z_loss: float = 0.0
    ) -> None:
        super().__init__()
        self.z_loss = z_loss
        self.decoder = decoder
        self.register_buffer("log_multiplicity", vocabulary.log_multiplicity, persistent=False)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean nats a token of `targets` given `inputs`, both (batch, context) slots. Scalar, fp32.

        Every batch has the same number of tokens, so the mean over processes and micro-batches of
        this mean is the mean over the global batch's tokens.
        """
        # hidden: (batch, context, hidden); logits: (batch, context, slots)
        hidden = self.decoder.base_model(input_ids=inputs, use_cache=False).last_hidden_state
        head = cast(torch.Tensor, self.decoder.get_input_embeddings().weight)  # tied
        logits = functional.linear(hidden, head).float() + self.log_multiplicity
        # A target that the corpus does not use (validation may hold some) is one of those that
        # share its slot.
        shared = self.log_multiplicity[targets].mean()
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten()) + shared
        if self.z_loss and self.training:
            nats = nats + self.z_loss * logits.logsumexp(-1).square().mean()
        return nats
