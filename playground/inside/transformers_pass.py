"""The forward pass of forward.py by transformers, for models of all other families."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from playground.model.cuda_graph import out_of_memory
from playground.model.transformers_decoder import TransformersDecoder

TOLERANCE = 1e-4  # of the largest logit, between the last layer's and the model's own
NO_ATTENTION = "this model does not return its attention: open another model to look inside."


class TransformersPass:
    """The forward pass of one model, which shares the decoder's weights."""

    def __init__(self, decoder: TransformersDecoder) -> None:
        shared = {id(weight): weight for weight in decoder.model.parameters()}
        self._model: Any = copy.deepcopy(decoder.model, shared)
        self._model.set_attn_implementation("eager")  # only eager attention returns its weights
        if self._model.config._attn_implementation != "eager":
            raise ValueError(NO_ATTENTION)
        self._new_cache = decoder.new_cache

    @torch.inference_mode()
    def look(self, ids: list[int], row: int) -> tuple[np.ndarray, np.ndarray]:
        """See `inside.Pass`."""
        ids = ids[: row + 1]
        cache = self._new_cache()
        with out_of_memory():
            # Prefill all but the last token, so that the last call returns one row of attention.
            if cache is not None and row:
                self._run(ids[:-1], cache)
                ids = ids[-1:]
            output, norms = self._run_with_hooks(ids, cache)
            attention = self._attention(output, row + 1)
            return attention, self._logits(output, norms)

    def _run(self, ids: list[int], cache: Any, **options: Any) -> Any:
        cached = {} if cache is None else {"past_key_values": cache, "use_cache": True}
        tensor = torch.tensor([ids], device=self._model.device)
        return self._model(input_ids=tensor, **cached, **options)

    def _run_with_hooks(self, ids: list[int], cache: Any) -> tuple[Any, list[Any]]:
        """Return the model's output, and (module, input, output) of the modules whose output is
        the last hidden state: the last of them is the final norm, whose name differs by family."""
        calls: list[Any] = []

        def record(module: Any, inputs: Any, output: Any) -> None:
            if inputs and torch.is_tensor(inputs[0]) and torch.is_tensor(output):
                calls.append((module, inputs[0], output))

        modules = self._model.base_model.modules()
        hooks = [module.register_forward_hook(record) for module in modules]
        try:
            output = self._run(ids, cache, output_attentions=True, output_hidden_states=True)
        finally:
            for hook in hooks:
                hook.remove()
        last = output.hidden_states[-1]
        return output, [call for call in calls if call[2].shape == last.shape
                        and torch.equal(call[2], last)]  # fmt: skip

    def _attention(self, output: Any, tokens: int) -> np.ndarray:
        """Return (layers, heads, tokens) of the last token; 0 outside a sliding window."""
        layers = getattr(output, "attentions", None)
        if not layers or any(weights is None or weights.ndim != 4 for weights in layers):
            raise ValueError(NO_ATTENTION)
        rows = [weights[0, :, -1].float().cpu().numpy() for weights in layers]
        return np.stack([np.pad(row, ((0, 0), (tokens - row.shape[1], 0))) for row in rows])

    def _logits(self, output: Any, norms: list[Any]) -> np.ndarray:
        """Return (layers + 1, vocabulary): the head applied to each state of the last token."""
        states = list(output.hidden_states)
        norm: Any = torch.nn.Identity()
        if norms:  # transformers' last state is already normalized: take the norm's input
            norm, states[-1], _ = norms[-1]
        last = torch.cat([state[:, -1] for state in states])
        logits = self._model.get_output_embeddings()(norm(last)).float()
        expected = output.logits[0, -1].float()
        if (logits[-1] - expected).abs().max() > TOLERANCE * expected.abs().max():
            raise ValueError(
                "this model transforms its logits after the head, so predictions of earlier layers "
                "cannot be computed: open another model."
            )
        computed: np.ndarray = logits.cpu().numpy()
        return computed
