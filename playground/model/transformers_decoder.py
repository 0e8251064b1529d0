"""Any other causal model that transformers knows, with the interface of our own network.

One story after the other: people can open what they have, at transformers' own speed.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, DynamicCache

from playground.model.attention import Chunk
from playground.model.folder import ModelFolder
from playground.model.head import BLOCK, IMPOSSIBLE, Head


class TransformersDecoder:
    """A decoder of transformers with a cache per slot.

    Attributes:
        context: tokens it can look back on.
        head: takes the logits as they are.
        padding: None, a step has as many rows as are fed.
    """

    padding = None

    def __init__(self, storyteller: ModelFolder, slots: int) -> None:
        folder = storyteller.folder
        try:
            opened: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        except Exception as error:  # the library raises many kinds
            reason = str(error).strip().splitlines()[0][:200] if str(error) else "no reason given"
            raise ValueError(f"transformers cannot open {folder}: {reason}") from None
        self._model, report = opened
        lacking = sorted(report["missing_keys"])
        if lacking:
            raise ValueError(f"the weights in {folder} lack {lacking[0]}: copy the model again.")
        if "past_key_values" not in inspect.signature(self._model.forward).parameters:
            raise ValueError(f"{folder} is no decoder with a key-value cache: open another model.")
        self._model.eval().to(storyteller.device)
        self.context = storyteller.facts.context or 1_024
        self.head = IdentityHead(
            self._model.get_output_embeddings().weight.shape[0], storyteller.device
        )
        self._caches = [DynamicCache() for _ in range(slots)]

    def feed(self, chunks: list[Chunk]) -> torch.Tensor:
        """(tokens of all chunks, slots): the logits after each token, in the chunks' order."""
        return torch.cat([self._feed(chunk) for chunk in chunks])

    @torch.inference_mode()
    def _feed(self, chunk: Chunk) -> torch.Tensor:
        cache = self._caches[chunk.slot]
        if chunk.start == 0:
            cache = self._caches[chunk.slot] = DynamicCache()
        elif cache.get_seq_length() > chunk.start:
            cache.crop(chunk.start - cache.get_seq_length())  # a negative number removes so many
        ids = torch.tensor([chunk.ids], device=self._model.device)
        found: Any = self._model(input_ids=ids, past_key_values=cache, use_cache=True)
        return self.head.pad(found.logits[0].float())


class IdentityHead(Head):
    """A head whose states are the logits already: every id has a slot of its own."""

    def __init__(self, vocabulary: int, device: torch.device) -> None:
        super().__init__(torch.arange(vocabulary, dtype=torch.float32)[:, None], torch.float32)
        self.counts, self._bar = self.counts.to(device), self._bar.to(device)

    def pad(self, logits: torch.Tensor) -> torch.Tensor:
        """(rows, slots) of logits (rows, vocabulary)."""
        return functional.pad(logits, (0, -logits.shape[1] % BLOCK), value=IMPOSSIBLE)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The states."""
        return states

    def exact_logit(self, state: np.ndarray, token_id: int) -> float:
        """The logit of an id, which is in the state already."""
        return float(state[self.unique_of[token_id]])

    def exact(self, states: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
        """(rows, n) logits of some slots (rows, n)."""
        return states.gather(1, slots)
