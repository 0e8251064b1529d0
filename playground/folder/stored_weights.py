"""Read the weights in safetensors files on access, and check them: finite numbers of a known type,
not the same value everywhere."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

KINDS = {  # numpy's name of each number type by safetensors' name
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "BOOL": "?",
    "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U8": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip
FLOATS = ("F16", "BF16", "F32", "F64")
FIRST_VALUES = 1024  # of a weight, compared before all of it


class Place(NamedTuple):
    """The place of a stored tensor in its file, its type and shape."""

    file: Path
    offset: int  # bytes
    kind: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the number of values."""
        return math.prod(self.shape)


class StoredWeights(Mapping[str, np.ndarray]):
    """Arrays by name, each read from its file on access, so that a conversion to another format
    does not hold all weights twice. bf16, which numpy lacks, becomes fp32.

    Attributes:
        places: by name, where each tensor is stored.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        """Read the headers of safetensors files.

        Raises:
            ValueError: a file is damaged.
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
        values = np.fromfile(file, KINDS[kind], place.size, offset=offset)
        if kind == "BF16":  # the upper half of an fp32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def places_in(file: Path) -> dict[str, Place]:
    """Return the tensors of a file; SafetensorError, OSError or ValueError if it is damaged."""
    with safe_open(file, framework="np"):  # checks the sizes of all tensors and of the file
        pass
    with file.open("rb") as content:
        size = int.from_bytes(content.read(8), "little")
        header = json.loads(content.read(size))
    header.pop("__metadata__", None)
    return {
        name: Place(file, 8 + size + entry["data_offsets"][0], entry["dtype"],
                    tuple(entry["shape"]))
        for name, entry in header.items()
    }  # fmt: skip


def check_weights(folder: Path, weights: StoredWeights, *, is_quantized: bool = False) -> None:
    """Refuse weights that are not finite or of an unknown type; warn of constant weights.

    Args:
        folder: for the error message.
        weights: as stored.
        is_quantized: whether the configuration says how they were quantized.

    Raises:
        ValueError: with the name of a tensor.
    """
    matrices, constant = 0, []
    for name, place in weights.places.items():
        if place.kind not in FLOATS:
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
    message = (
        f"{folder}: {len(constant)} of {matrices} weights have the same value everywhere, "
        f"{constant[0]} for instance: the file may be incomplete, download or export it again."
    )
    if len(constant) == matrices:
        raise ValueError(message)
    logging.getLogger(__name__).warning("%s", message)


def is_weight(name: str) -> bool:
    """Return whether a tensor is a weight by its name, not a mask or a table of positions."""
    return name.endswith("weight")


def is_constant(weight: np.ndarray) -> bool:
    """Return whether a weight is the same value everywhere."""
    if weight.size < 2:
        return False
    flat = weight.reshape(-1)
    return bool((flat[:FIRST_VALUES] == flat[0]).all()) and bool((flat == flat[0]).all())
