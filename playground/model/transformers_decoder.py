"""Any other causal model that transformers knows, with the interface of our own loop.

One story after the other: people can open what they have, at transformers' own speed. What its
cache can do is found out when it is opened, with a few tokens: whether a step with it says what the
whole text says without it, and whether tokens can be taken out of it again. A cache that cannot go
back is filled anew, and a model without one reads its text anew for every token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from playground.core.library import Head
from playground.folder.config import context_of
from playground.folder.model_folder import ModelFolder
from playground.folder.stored_weights import StoredWeights
from playground.model.cuda_graph import out_of_memory, say_once
from playground.model.decoder import Chunk, Decoder
from playground.sentences import first_line

TRIAL = (0.2, 0.4, 0.6, 0.8)  # tokens of the trial, as fractions of the vocabulary
TOLERANCE = 1e-2  # of the largest logit, between two orders of summation


class TransformersDecoder(Decoder):
    """A model of transformers with a cache per slot; see `decoder.Decoder` for what it offers.

    Attributes:
        model: the model.
        caches: whether the model keeps keys and values.
        goes_back: whether tokens can be taken out of its cache again.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        self._folder = storyteller.folder
        device = torch.device(storyteller.device)
        if device.type == "cuda":
            torch.cuda.set_device(device)  # for this thread
        with out_of_memory():
            self.model = load(storyteller).to(device)
        self.context = context_of(storyteller.config)
        self.caches, self.goes_back = True, True
        self.bytes_per_token = self.bytes_per_slot = 0
        self.reserve(1, self.context)
        with out_of_memory():
            self._try_out()

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        self._caches: list[Any] = [self.new_cache() for _ in range(slots)]
        self._held: list[list[int]] = [[] for _ in range(slots)]  # ids that a cache holds

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        return np.concatenate([self._asked_logits(chunk) for chunk in chunks])

    def _asked_logits(self, chunk: Chunk) -> np.ndarray:
        """`logits` of one chunk, or NaN where the model fails: that ends the story and no other."""
        asked = slice(chunk.asked.start, chunk.asked.stop)
        try:
            found: np.ndarray = self._feed(chunk)[asked].cpu().numpy()
            return found
        except Exception as error:  # a model may raise anything
            say_once(f"{self._folder}: {first_line(error)}")
            self._caches[chunk.slot] = None
            self._held[chunk.slot] = [*self._held[chunk.slot][: chunk.start], *chunk.ids]
            return np.full((len(chunk.asked), self.head.unique), np.nan, np.float32)

    def _feed(self, chunk: Chunk) -> torch.Tensor:
        """(tokens, vocabulary): the logits after each token of a chunk."""
        held = self._held[chunk.slot][: chunk.start]
        ids = [*held, *chunk.ids]
        if self.caches and self._back_to(chunk.slot, chunk.start):
            logits = self._forward(chunk.ids, self._caches[chunk.slot])
        else:
            self._caches[chunk.slot] = self.new_cache()
            logits = self._forward(ids, self._caches[chunk.slot] if self.caches else None)
        self._held[chunk.slot] = ids
        return logits[-len(chunk.ids) :]

    def _back_to(self, slot: int, start: int) -> bool:
        """Take what is beyond the first `start` tokens out of a slot's cache, if it can be."""
        beyond = len(self._held[slot]) - start
        if self._caches[slot] is None or (beyond and (start == 0 or not self.goes_back)):
            return False
        if beyond == 0:
            return True
        try:
            self._caches[slot].crop(-beyond)
        except (RuntimeError, ValueError, AttributeError):  # a window that has slid, for instance
            return False
        return True

    @torch.inference_mode()
    def _forward(self, ids: list[int], cache: Any) -> torch.Tensor:
        """(tokens, vocabulary) fp32."""
        known = {"past_key_values": cache, "use_cache": True} if cache is not None else {}
        found = self.model(input_ids=torch.tensor([ids], device=self.model.device), **known)
        return torch.as_tensor(found.logits[0]).float()

    def new_cache(self) -> Any:
        """Return an empty cache; None if the model has none that works."""
        return DynamicCache(config=self.model.config) if self.caches else None

    def _try_out(self) -> None:
        """Find out what the cache does; ValueError if the model writes no stories."""
        try:
            size = self.model.get_output_embeddings().weight.shape[0]
            ids = [int(share * size) for share in TRIAL]
            whole = self._forward(ids, None)
            self.head = Head(whole.shape[1])
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a model may raise anything where it is used in a new way
            raise ValueError(
                f"the model in {self._folder} does not go on with a text ({first_line(error)}): "
                "open another one."
            ) from None
        self.caches = self._follows(ids, whole)
        if self.caches:
            return
        self.reserve(1, self.context)
        if not agree(self._forward(ids[:-1], None), whole[:-1]):
            raise ValueError(
                f"the model in {self._folder} looks at words that come later, so it cannot write a "
                "story: open another one."
            )

    def _follows(self, ids: list[int], whole: torch.Tensor) -> bool:
        """Return whether steps with the cache give the logits `whole` (tokens, vocabulary);
        measures the cache's bytes."""
        try:
            before = self._feed(Chunk(0, 0, ids[:-1]))
            sizes = [cache_bytes(self._caches[0])]
            last = self._feed(Chunk(0, len(ids) - 1, ids[-1:]))
            sizes.append(cache_bytes(self._caches[0]))
            if not agree(torch.cat([before, last]), whole):
                return False
        except Exception:  # a model may raise anything where its cache is not the usual one
            return False
        self.bytes_per_token = max(0, sizes[1] - sizes[0])
        self.bytes_per_slot = max(0, sizes[1] - len(ids) * self.bytes_per_token)
        try:
            self.goes_back = agree(self._feed(Chunk(0, len(ids) - 1, ids[-1:])), last)
        except Exception:
            self.goes_back = False
        return True


def load(storyteller: ModelFolder) -> Any:
    """Return the model of a folder in fp32, by transformers from the weights that were read
    already."""
    folder, config = storyteller.folder, storyteller.config
    kind = config.model_type
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ValueError(
            f"{folder} holds a model of the kind {kind!r}, which does not go on with a text: "
            "open a causal language model."
        )
    try:
        made: Any = AutoModelForCausalLM._model_mapping[type(config)]
        model, report = made.from_pretrained(
            None,
            config=config,
            state_dict=tensors_of(storyteller.weights),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"transformers cannot open {folder}: {first_line(error)}") from None
    lacking = sorted(report["missing_keys"])
    if lacking:
        raise ValueError(f"the weights in {folder} lack {lacking[0]}: copy the model again.")
    wrong = sorted(str(one[0] if isinstance(one, tuple) else one)
                   for one in report.get("mismatched_keys", ()))  # fmt: skip
    if wrong:
        raise ValueError(
            f"the weights in {folder} do not fit its config.json ({wrong[0]}): copy the model "
            "again."
        )
    return model.eval()


def tensors_of(weights: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return the tensors as they are stored: PyTorch has kinds of numbers that numpy does not have."""
    if isinstance(weights, StoredWeights):
        files = {place.file for place in weights.places.values()}
        return {name: tensor for file in files for name, tensor in load_file(file).items()}
    return {name: torch.from_numpy(array) for name, array in weights.items()}


def agree(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors of logits are equal but for rounding."""
    if one.shape != other.shape:
        return False
    apart = float((one - other).abs().max())
    return apart <= TOLERANCE * max(1.0, float(other.abs().max()))


def cache_bytes(value: Any) -> int:
    """Bytes of all tensors in a cache, whatever its layers are made of."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(cache_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(cache_bytes, value))
    if type(value).__module__.startswith("transformers.cache_utils"):
        return cache_bytes(vars(value))
    return 0
