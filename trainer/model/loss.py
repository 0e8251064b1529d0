"""Next-token loss over the compact vocabulary, in one module so that head and loss compile into
one kernel.

At hidden 256 the 50,257-way head is 73 % of a step's arithmetic and its logits most of its memory
traffic; `CompactVocabulary` reduces both to the ids of the corpus. fp32 logits of all tokens never
exist: compiled, the cast from bf16, the multiplicities and the log-sum-exp are one pass; otherwise
a large head is computed for some blocks at a time, and again in the backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from trainer.model.attention import DocumentMasking
from trainer.model.build import last_hidden
from trainer.model.compact_vocabulary import CompactVocabulary

AT_ONCE = 2**28  # fp32 logits of a head that is not compiled: 1 GiB


class NextTokenLoss(nn.Module):
    """A decoder with the loss it is trained on.

    Attributes:
        decoder: stock transformers model over compact ids.
        document_masking: limits attention to a story; None: a token sees its whole block.
        teachers: decoders over the same compact ids, whose predictions are learned too
            (pretrained.py). A tuple keeps them out of this module's training, saving and wrapping.
        dtype: arithmetic of the matrix products. Autocast is entered inside this module because
            DeepSpeed's engine silently turns off an outer autocast on CUDA and computes in fp32.
    """

    log_multiplicity: torch.Tensor
    dtype: torch.dtype = torch.float32

    def __init__(
        self,
        decoder: PreTrainedModel,
        vocabulary: CompactVocabulary,
        z_loss: float = 0.0,
        document_masking: DocumentMasking | None = None,
        teachers: Sequence[PreTrainedModel] = (),
        teacher_weight: float = 0.0,
    ) -> None:
        """`teacher_weight` is the part of the loss that is the cross-entropy with the teachers."""
        super().__init__()
        self.z_loss = z_loss
        self.teachers, self.teacher_weight = tuple(teachers), teacher_weight
        self.document_masking = document_masking
        self.decoder = decoder
        self.register_buffer("log_multiplicity", vocabulary.log_multiplicity, persistent=False)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean nats per token of `targets` given `inputs`, both (batch, context) compact
        ids: a scalar. With teachers, a weighted mean of this and of the cross-entropy with their
        predictions.

        Every batch has the same number of tokens, so the mean over processes and micro-batches of
        this mean is the mean over the global batch's tokens.
        """
        enabled = self.dtype != torch.float32
        with torch.autocast(inputs.device.type, dtype=self.dtype, enabled=enabled):
            return self.mean_nats(inputs, targets)

    def mean_nats(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute `forward` in the current autocast mode."""
        # Each: (batch, context, hidden)
        hidden = self.states(self.decoder, inputs)
        with torch.no_grad():
            taught = [self.states(teacher, inputs) for teacher in self.teachers]
        blocks = max(1, AT_ONCE // (inputs.shape[1] * len(self.log_multiplicity)))
        if torch.compiler.is_compiling() or len(inputs) <= blocks:
            return self.nats(hidden, targets, *taught)
        parts = zip(*(whole.split(blocks) for whole in (hidden, targets, *taught)), strict=True)
        sums = [
            checkpoint(self.nats, *part, use_reentrant=False, preserve_rng_state=False)
            * len(part[0])
            for part in parts
        ]
        return torch.stack(sums).sum() / len(targets)

    def states(self, decoder: PreTrainedModel, inputs: torch.Tensor) -> torch.Tensor:
        """Return the states before the head of the decoder or of a teacher, with the document
        mask."""
        story = self.document_masking
        arguments = story.arguments(inputs, decoder) if story else {}
        return last_hidden(decoder, inputs, **arguments)

    def nats(
        self, hidden: torch.Tensor, targets: torch.Tensor, *taught: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of `targets` (batch, context) given the states before the head, and those
        of each teacher in `taught`."""
        logits = self.logits(self.decoder, hidden)
        # A target that the corpus does not use (possible in validation) is one of the ids of a
        # shared row.
        shared = self.log_multiplicity[targets].mean()
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten()) + shared
        if taught:
            from_teachers = self.nats_of_teachers(logits, taught)
            nats = nats.lerp(from_teachers, self.teacher_weight)
        if self.z_loss and self.training:
            nats = nats + self.z_loss * logits.logsumexp(-1).square().mean()
        return nats

    def nats_of_teachers(
        self, logits: torch.Tensor, taught: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the mean nats per token, under `logits` (batch, context, compact ids), of the mean
        of the teachers' probabilities (Hinton et al. 2015, at temperature 1)."""
        with torch.no_grad():
            pairs = zip(self.teachers, taught, strict=True)
            probabilities = [self.logits(*pair).softmax(-1) for pair in pairs]
            mean = torch.stack(probabilities).mean(0)
        padding = self.log_multiplicity == -torch.inf  # 0 x -inf is NaN
        expected = (mean * logits.masked_fill(padding, 0.0)).sum(-1)
        return (logits.logsumexp(-1) - expected).mean()

    def logits(self, decoder: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits of a decoder's states before its head: (batch, context, compact ids)
        fp32."""
        head = cast(torch.Tensor, decoder.get_input_embeddings().weight)  # tied
        return functional.linear(hidden, head).float() + self.log_multiplicity
