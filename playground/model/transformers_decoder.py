"""A decoder for every other causal model of transformers.

Stories are computed one after the other, at transformers' speed. When a model is opened, a few
tokens test its cache: whether a step with the cache gives the logits of the whole text without it,
and whether tokens can be removed again. A cache that cannot be cropped is refilled, and a model
without a working cache processes its whole text for every token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from playground.core.library import Chunk, Head
from playground.folder.config import context_of
from playground.folder.model_folder import ModelFolder
from playground.folder.stored_weights import StoredWeights
from playground.model.cuda_graph import out_of_memory, print_once
from playground.model.decoder import Decoder
from playground.sentences import first_line

TRIAL = (0.2, 0.4, 0.6, 0.8)  # test tokens, as fractions of the vocabulary
TOLERANCE = 1e-2  # of the largest logit, between two orders of summation


class TransformersDecoder(Decoder):
    """A model of transformers with a cache per slot, as a `decoder.Decoder`.

    Attributes:
        model: of transformers.
        caches: whether the model's cache works.
        crops: whether tokens can be removed from its cache.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        self._folder = storyteller.folder
        device = torch.device(storyteller.device)
        if device.type == "cuda":
            torch.cuda.set_device(device)  # for this thread
        with out_of_memory():
            self.model = load(storyteller).to(device)
        self.context = context_of(storyteller.config)
        self.caches, self.crops = True, True
        self.bytes_per_token = self.bytes_per_slot = 0
        self.reserve(1, self.context)
        with out_of_memory():
            self._test()

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        self._caches: list[Any] = [self.new_cache() for _ in range(slots)]
        self._cached_ids: list[list[int]] = [[] for _ in range(slots)]

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        return np.concatenate([self._asked_logits(chunk) for chunk in chunks])

    def _asked_logits(self, chunk: Chunk) -> np.ndarray:
        """Return `logits` of one chunk; NaN, which ends only this story, if the model fails."""
        asked = slice(chunk.asked.start, chunk.asked.stop)
        try:
            logits: np.ndarray = self._process(chunk)[asked].cpu().numpy()
            return logits
        except Exception as error:  # a model may raise anything
            print_once(f"{self._folder}: {first_line(error)}")
            self._caches[chunk.slot] = None
            before = self._cached_ids[chunk.slot][: chunk.start]
            self._cached_ids[chunk.slot] = [*before, *chunk.ids]
            return np.full((len(chunk.asked), self.head.unique), np.nan, np.float32)

    def _process(self, chunk: Chunk) -> torch.Tensor:
        """Return (tokens, vocabulary): the logits after each token of a chunk."""
        ids = [*self._cached_ids[chunk.slot][: chunk.start], *chunk.ids]
        if self.caches and self._crop(chunk.slot, chunk.start):
            logits = self._forward(chunk.ids, self._caches[chunk.slot])
        else:
            self._caches[chunk.slot] = self.new_cache()
            logits = self._forward(ids, self._caches[chunk.slot] if self.caches else None)
        self._cached_ids[chunk.slot] = ids
        return logits[-len(chunk.ids) :]

    def _crop(self, slot: int, length: int) -> bool:
        """Crop a slot's cache to `length` tokens; return whether that worked."""
        excess = len(self._cached_ids[slot]) - length
        if self._caches[slot] is None or (excess and (length == 0 or not self.crops)):
            return False
        if excess == 0:
            return True
        try:
            self._caches[slot].crop(-excess)
        except (RuntimeError, ValueError, AttributeError):  # after a sliding window, for instance
            return False
        return True

    @torch.inference_mode()
    def _forward(self, ids: list[int], cache: Any) -> torch.Tensor:
        """Return the logits (tokens, vocabulary) in fp32."""
        cached = {"past_key_values": cache, "use_cache": True} if cache is not None else {}
        output = self.model(input_ids=torch.tensor([ids], device=self.model.device), **cached)
        return torch.as_tensor(output.logits[0]).float()

    def new_cache(self) -> Any:
        """Return an empty cache; None if the model's cache does not work."""
        return DynamicCache(config=self.model.config) if self.caches else None

    def _test(self) -> None:
        """Set `head`, `caches` and `crops`; ValueError if the model cannot write stories."""
        try:
            size = self.model.get_output_embeddings().weight.shape[0]
            ids = [int(share * size) for share in TRIAL]
            whole = self._forward(ids, None)
            self.head = Head(whole.shape[1])
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a model may raise anything
            raise ValueError(
                f"the model in {self._folder} cannot continue a text ({first_line(error)}): open "
                "another model."
            ) from None
        self.caches = self._test_cache(ids, whole)
        if self.caches:
            return
        self.reserve(1, self.context)
        if not agree(self._forward(ids[:-1], None), whole[:-1]):
            raise ValueError(
                f"the model in {self._folder} attends to later words (it is not causal), so it "
                "cannot write a story: open another model."
            )

    def _test_cache(self, ids: list[int], whole: torch.Tensor) -> bool:
        """Return whether steps with the cache give the logits `whole` (tokens, vocabulary) of the
        same text without it. Measures the cache's bytes, and whether it can be cropped."""
        try:
            before = self._process(Chunk(0, 0, ids[:-1]))
            sizes = [cache_bytes(self._caches[0])]
            last = self._process(Chunk(0, len(ids) - 1, ids[-1:]))
            sizes.append(cache_bytes(self._caches[0]))
            if not agree(torch.cat([before, last]), whole):
                return False
        except Exception:  # a model with an unusual cache may raise anything
            return False
        self.bytes_per_token = max(0, sizes[1] - sizes[0])
        self.bytes_per_slot = max(0, sizes[1] - len(ids) * self.bytes_per_token)
        try:
            self.crops = agree(self._process(Chunk(0, len(ids) - 1, ids[-1:])), last)
        except Exception:
            self.crops = False
        return True


def load(storyteller: ModelFolder) -> Any:
    """Return transformers' model of a folder in fp32, from the weights that are open already."""
    folder, config = storyteller.folder, storyteller.config
    kind = config.model_type
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(
            f"{folder} holds a model of the type {kind!r}, which cannot continue a text: open a "
            "causal language model."
        )
    try:
        model_class: Any = AutoModelForCausalLM._model_mapping[type(config)]
        model, report = model_class.from_pretrained(
            None,
            config=config,
            state_dict=tensors_of(storyteller.weights),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"transformers cannot open {folder}: {first_line(error)}") from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(f"the weights in {folder} lack {missing[0]}: copy the model again.")
    wrong = sorted(str(entry[0] if isinstance(entry, tuple) else entry)
                   for entry in report.get("mismatched_keys", ()))  # fmt: skip
    if wrong:
        raise ValueError(
            f"the weights in {folder} do not fit its config.json ({wrong[0]}): copy the model "
            "again."
        )
    return model.eval()


def tensors_of(weights: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return the weights as tensors of their stored types, of which numpy lacks some."""
    if isinstance(weights, StoredWeights):
        files = {place.file for place in weights.places.values()}
        return {name: tensor for file in files for name, tensor in load_file(file).items()}
    return {name: torch.from_numpy(array) for name, array in weights.items()}


def agree(logits: torch.Tensor, expected: torch.Tensor) -> bool:
    """Return whether two tensors of logits are equal except for rounding."""
    if logits.shape != expected.shape:
        return False
    difference = float((logits - expected).abs().max())
    return difference <= TOLERANCE * max(1.0, float(expected.abs().max()))


def cache_bytes(value: Any) -> int:
    """Return the bytes of all tensors in a cache, in any structure."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(cache_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(cache_bytes, value))
    if type(value).__module__.startswith("transformers.cache_utils"):
        return cache_bytes(vars(value))
    return 0
