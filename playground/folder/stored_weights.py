"""The weights in a folder's safetensors files: where each lies, and what is looked at before they
are used, that they are numbers, of a kind that says what they are, and not one value everywhere."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

KINDS = {  # of stored numbers, as safetensors and numpy call them
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "BOOL": "?",
    "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U8": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip
PLAIN = ("F16", "BF16", "F32", "F64")
GLANCE = 1024  # values of a weight that are compared first


class Place(NamedTuple):
    """The offset, shape and type of a stored tensor."""

    file: Path
    offset: int  # bytes
    kind: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


class StoredWeights(Mapping[str, np.ndarray]):
    """Arrays by name, each read from its file whenever it is asked for: whoever packs them in
    another form does not hold them twice. bf16, which numpy does not have, becomes fp32.

    Attributes:
        places: where each lies.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        """Read the heads of safetensors files.

        Raises:
            ValueError: one of them is damaged; one sentence.
        """
        self.places: dict[str, Place] = {}
        for file in files:
            try:
                self.places |= places_in(file)
            except (SafetensorError, OSError, ValueError):
                raise ValueError(
                    f"{file} is damaged or cut off: copy or export the model again."
                ) from None

    def __getitem__(self, name: str) -> np.ndarray:
        file, offset, kind, shape = place = self.places[name]
        found = np.fromfile(file, KINDS[kind], place.size, offset=offset)
        if kind == "BF16":
            found = (found.astype(np.uint32) << 16).view(np.float32)
        return found.reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def places_in(file: Path) -> dict[str, Place]:
    """Return the tensors of a file; SafetensorError, OSError or ValueError if it is damaged."""
    with safe_open(file, framework="np"):  # compares all sizes with each other and with the file's
        pass
    with file.open("rb") as content:
        size = int.from_bytes(content.read(8), "little")
        head = json.loads(content.read(size))
    head.pop("__metadata__", None)
    return {
        name: Place(file, 8 + size + one["data_offsets"][0], one["dtype"], tuple(one["shape"]))
        for name, one in head.items()
    }


def check_weights(folder: Path, weights: StoredWeights, *, is_quantized: bool = False) -> None:
    """Refuse weights from which nothing can be computed, and warn of those that look empty.

    Args:
        folder: where they are from.
        weights: as they are stored.
        is_quantized: whether the configuration says how they were quantized.

    Raises:
        ValueError: one sentence that names a tensor.
    """
    matrices, constant = 0, []
    for name, place in weights.places.items():
        if place.kind not in PLAIN:
            if not is_quantized and (place.kind.startswith("F") or is_weight(name)):
                raise ValueError(
                    f"{folder}: {name} is stored as {place.kind}, and config.json does not say how "
                    "it was quantized (quantization_config): export the model in fp16, bf16 or "
                    "fp32."
                )
            continue
        weight = weights[name]
        if not np.isfinite(weight).all():
            raise ValueError(f"{folder}: {name} holds NaN or infinity: export the model again.")
        if weight.ndim > 1 and is_weight(name):
            matrices += 1
            constant += [name] if is_constant(weight) else []
    if not constant:
        return
    said = (
        f"{folder}: {len(constant)} of {matrices} weights hold one value everywhere, "
        f"{constant[0]} for instance: the file may be incomplete, download or export it again"
    )
    if len(constant) == matrices:
        raise ValueError(f"{said}.")
    logging.getLogger(__name__).warning("%s.", said)


def is_weight(name: str) -> bool:
    """Return whether a tensor is a weight by its name, and not a mask or a table of positions."""
    return name.endswith("weight")


def is_constant(weight: np.ndarray) -> bool:
    """Return whether a weight is the same value everywhere."""
    if weight.size < 2:
        return False
    flat = weight.reshape(-1)
    return bool((flat[:GLANCE] == flat[0]).all()) and bool((flat == flat[0]).all())
