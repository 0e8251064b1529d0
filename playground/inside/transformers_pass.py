"""What `forward.py` computes, by transformers: for models of every other family."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from playground.model.cuda_graph import out_of_memory
from playground.model.transformers_decoder import TransformersDecoder

TOLERANCE = 1e-4  # of the largest logit, between the last layer's and the model's own
NO_ATTENTION = "this model does not give its attention, so nobody can look at it: open another one."


class TransformersPass:
    """The pass of one model; its weights are those of the decoder, not copies."""

    def __init__(self, decoder: TransformersDecoder) -> None:
        shared = {id(weight): weight for weight in decoder.model.parameters()}
        self._model: Any = copy.deepcopy(decoder.model, shared)
        self._model.set_attn_implementation("eager")  # other ones do not give their weights
        if self._model.config._attn_implementation != "eager":
            raise ValueError(NO_ATTENTION)
        self._new_cache = decoder.new_cache

    @torch.inference_mode()
    def look(self, ids: list[int], row: int) -> tuple[np.ndarray, np.ndarray]:
        """See `inside.Pass`."""
        ids = ids[: row + 1]
        cache = self._new_cache()
        with out_of_memory():
            # All but the last token first: the model keeps only its last call's attention.
            if cache is not None and row:
                self._run(ids[:-1], cache)
                ids = ids[-1:]
            found, norms = self._run_watched(ids, cache)
            attention = self._attention(found, row + 1)
            return attention, self._logits(found, norms)

    def _run(self, ids: list[int], cache: Any, **options: Any) -> Any:
        known = {} if cache is None else {"past_key_values": cache, "use_cache": True}
        tensor = torch.tensor([ids], device=self._model.device)
        return self._model(input_ids=tensor, **known, **options)

    def _run_watched(self, ids: list[int], cache: Any) -> tuple[Any, list[Any]]:
        """What the model says with all on its way, and (module, input, output) of each part of the
        decoder: one of them is the final norm, which families call by different names."""
        calls: list[Any] = []

        def note(module: Any, inputs: Any, output: Any) -> None:
            if inputs and torch.is_tensor(inputs[0]) and torch.is_tensor(output):
                calls.append((module, inputs[0], output))

        parts = self._model.base_model.modules()
        hooks = [part.register_forward_hook(note) for part in parts]
        try:
            found = self._run(ids, cache, output_attentions=True, output_hidden_states=True)
        finally:
            for hook in hooks:
                hook.remove()
        last = found.hidden_states[-1]
        return found, [call for call in calls if call[2].shape == last.shape
                       and torch.equal(call[2], last)]  # fmt: skip

    def _attention(self, found: Any, tokens: int) -> np.ndarray:
        """(layers, heads, tokens) of the last token; 0 for what a window leaves out."""
        weights = getattr(found, "attentions", None)
        if not weights or any(one is None or one.ndim != 4 for one in weights):
            raise ValueError(NO_ATTENTION)
        rows = [one[0, :, -1].float().cpu().numpy() for one in weights]
        return np.stack([np.pad(row, ((0, 0), (tokens - row.shape[1], 0))) for row in rows])

    def _logits(self, found: Any, norms: list[Any]) -> np.ndarray:
        """(layers + 1, vocabulary): what the head says of the last token's state in each layer."""
        states = list(found.hidden_states)
        norm: Any = torch.nn.Identity()
        if norms:  # the last state is the one after the final norm
            norm, states[-1], _ = norms[-1]
        last = torch.cat([state[:, -1] for state in states])
        logits = self._model.get_output_embeddings()(norm(last)).float()
        whole = found.logits[0, -1].float()
        if (logits[-1] - whole).abs().max() > TOLERANCE * whole.abs().max():
            raise ValueError(
                "this model changes what its head says, so what an earlier layer would have said "
                "cannot be computed: open another one."
            )
        computed: np.ndarray = logits.cpu().numpy()
        return computed
