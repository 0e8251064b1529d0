"""Open a stock causal language model in fp32, or raise an error with the cause.

A name may be that of: an export or another transformers folder, a snapshot of a run, a run's folder
(its export, else its newest checkpoint), a checkpoint, a model on the Hub.

transformers fills missing weights with random numbers and only warns; figures measured with them
would be wrong without notice, so such a folder is refused. Code in a folder is never run.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from trainer.corpus.store.token_store import find_store
from trainer.corpus.tokenizer.tokenizer import FILE, GPT2, Tokenizer
from trainer.model.build import full_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.output.console import first_line
from trainer.settings.model import Model
from trainer.storage import checkpoint, run_folder
from trainer.storage.resume import updated_settings

PICKLED = (
    ", and pytorch_model.bin is not read, because such a file can run code: where you trust it, "
    "write another folder with transformers' from_pretrained(...) and save_pretrained(...)"
)
NOT_CAUSAL = (
    "which does not continue a text (it fills gaps, or needs another text to start from): name a "
    "causal language model, such as a gpt2 or llama"
)
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+|gpt2")


def open_model(
    name: str | Path, *, device: str = "cpu", stores: str | Path = "data"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open the model of that name, in fp32 and ready to score; return it with its tokenizer. Raises
    ValueError if the model does not exist, lacks a part, or does not match its config.json.

    Args:
        name: see the head of this file.
        device: such as cpu or cuda.
        stores: the folder of token stores, which a checkpoint needs for its ids.
    """
    folder = Path(name).expanduser()
    if device.startswith("mps"):
        raise ValueError(
            "likelihoods are summed in float64, which a Mac's GPU (mps) does not have: give "
            "--device cpu"
        )
    if run_folder.is_run(folder):
        folder = model_of_run(folder)
    if (folder / "checkpoint.json").is_file():
        opened = open_checkpoint(folder, Path(stores))
    elif folder.is_dir():
        opened = open_folder(folder)
    elif HUB_NAME.fullmatch(str(name)):
        opened = open_stock(str(name), str(name), local=False)
    else:
        raise ValueError(f"there is no model folder {folder}")
    check_numbers(opened[0], name)
    check_causal(opened[0], name)
    try:
        return opened[0].eval().to(device), opened[1]
    except (RuntimeError, AssertionError) as problem:
        raise ValueError(f"the device {device} cannot be used: {first_line(problem)}") from problem


def check_numbers(model: PreTrainedModel, name: str | Path) -> None:
    """Raise ValueError for weights that are NaN or infinite."""
    for key, weights in model.named_parameters():
        if not torch.isfinite(weights).all():
            raise ValueError(
                f"the weights {key} of {name} are not all numbers (NaN or infinite): its training "
                "went wrong; take an earlier checkpoint"
            )


@torch.inference_mode()
def check_causal(model: PreTrainedModel, name: str | Path) -> None:
    """Raise ValueError for a model whose predictions depend on later tokens, such as a masked
    language model (BERT), which predicts gaps."""
    embedding: Any = model.get_input_embeddings()
    ids = torch.arange(1, 5)[None] % len(embedding.weight)
    whole, first = (model(input_ids=part).logits[0, :2].float() for part in (ids, ids[:, :2]))
    if (whole - first).abs().max() > 1e-4 * whole.abs().max():
        raise ValueError(f"{name} is a {model.config.model_type}, {NOT_CAUSAL}")


def model_of_run(folder: Path) -> Path:
    """Return the export of a run, or its newest checkpoint before there is an export."""
    if (folder / run_folder.EXPORT).is_dir():
        return folder / run_folder.EXPORT
    checkpoints = sorted((folder / run_folder.CHECKPOINTS).glob("step-????????"))
    if not checkpoints:
        raise ValueError(f"the run in {folder} has neither an export nor a checkpoint yet")
    return checkpoints[-1]


def open_checkpoint(folder: Path, stores: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open a checkpoint as the stock model that its run would export."""
    saved = checkpoint.first_intact([folder])
    if saved is None:
        raise ValueError(f"the checkpoint {folder} is damaged: name another")
    fingerprint = saved.identity["corpus"]["fingerprint"]
    store = find_store(stores, fingerprint)
    if store is None:
        raise ValueError(
            f"the checkpoint {folder} needs the token store that it learned from "
            f"(*-{fingerprint[:12]}), which is not in {stores}: the store has the ids of its rows"
        )
    settings = updated_settings(saved.identity)
    counts, base = store.id_counts("train"), None
    if start := settings["model"]["init_from"]:
        first, tokenizer = open_model(start, stores=stores)
        give_ids(first, tokenizer, store.tokenizer)
        counts, base = counts + trained_ids(first), first.config
    compact = settings["model"]["compact_vocabulary"]
    vocabulary = CompactVocabulary.of(counts, store.tokenizer.end_of_text, compact=compact)
    model = full_decoder(Model(**settings["model"]), vocabulary, saved.weights, base)
    return model, store.tokenizer.stock()


def give_ids(model: Any, tokenizer: PreTrainedTokenizerBase, wanted: Tokenizer) -> bool:
    """Make a model read the ids of the tokenizer `wanted`; return whether its own `tokenizer` has
    other ids. Each new id then gets the mean of the rows of the tokens with which the model's own
    tokenizer encodes its text. Raises ValueError if the model lacks rows for these tokens."""
    if drop_other_rows(model, tokenizer, wanted):
        return False
    table = model.get_input_embeddings().weight.detach().clone()
    texts = [token.decode(errors="ignore") for token in wanted.token_bytes]
    written = tokenizer(texts, add_special_tokens=False).input_ids
    largest = max(tokenizer.eos_token_id, *(max(ids) for ids in written if ids))
    if largest >= len(table):
        raise ValueError(
            f"the tokenizer in {model.name_or_path} writes the id {largest:,}, and its model has "
            f"{len(table):,} ids: they do not belong together; take the tokenizer that the model "
            "was trained with"
        )
    rows = table.mean(0).repeat(wanted.size, 1)  # for texts that its tokenizer encodes to nothing
    # The mean starts a token near the meaning of its pieces.
    for number, ids in enumerate(written):
        if ids:
            rows[number] = table[ids].mean(0)
    rows[wanted.end_of_text] = table[tokenizer.eos_token_id]
    model.resize_token_embeddings(wanted.size, mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(rows)
    return True


def drop_other_rows(model: Any, tokenizer: PreTrainedTokenizerBase, wanted: Tokenizer) -> bool:
    """Return whether a model already reads the ids of the tokenizer `wanted`. If so, drop its
    other rows: of a padded embedding, or of more special tokens in its `tokenizer`."""
    theirs, ours = tokenizer.get_vocab(), wanted.stock().get_vocab()
    has_same_ids = (
        ours.items() <= theirs.items()
        and theirs.keys() - ours.keys() <= tokenizer.get_added_vocab().keys()
        and len(model.get_input_embeddings().weight) >= wanted.size
    )
    if has_same_ids and len(model.get_input_embeddings().weight) > wanted.size:
        model.resize_token_embeddings(wanted.size, mean_resizing=False)
    return has_same_ids


def trained_ids(model: PreTrainedModel) -> np.ndarray:
    """Return 1 for every id with a unique row in the embedding, else 0: (vocabulary,) int64. In our
    models the ids that training never used have equal rows."""
    embedding: Any = model.get_input_embeddings()
    table = embedding.weight.detach().float().cpu().numpy()
    rows = np.ascontiguousarray(table).view(f"V{table.shape[1] * table.itemsize}")[:, 0]
    _, inverse, counts = np.unique(rows, return_inverse=True, return_counts=True)
    is_unique: np.ndarray = counts[inverse] == 1
    return is_unique.astype(np.int64)


def open_folder(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open a transformers folder; a snapshot without a tokenizer has GPT-2's."""
    without_tokenizer = (folder / "snapshot.json").is_file() and not (folder / FILE).is_file()
    for name in ("config.json", *([] if without_tokenizer else ["tokenizer_config.json"])):
        if not (folder / name).is_file():
            raise ValueError(f"the model folder {folder} has no {name}")
    if not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("pytorch_model*.bin"))
        raise ValueError(
            f"the model folder {folder} has no .safetensors file" + (PICKLED if pickled else "")
        )
    check_memory(folder)
    return open_stock(str(folder), str(GPT2 if without_tokenizer else folder), local=True)


def check_memory(folder: Path) -> None:
    """Raise ValueError for weights that do not fit into memory in fp32, before the machine
    begins to swap."""
    needed = 4 * sum(map(num_weights, folder.glob("*.safetensors")))
    free = psutil.virtual_memory().available
    if needed > free:
        raise ValueError(
            f"the model in {folder} needs {needed / 2**30:,.1f} GiB in fp32 and "
            f"{free / 2**30:,.1f} GiB are free: close other programs, or take a larger machine"
        )


def num_weights(file: Path) -> int:
    """Return the number of weights in a safetensors file, by its header; 0 if it is damaged, which
    opening the model reports."""
    try:
        with safe_open(file, framework="np") as tensors:
            names = tensors.keys()
            return sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    except SafetensorError:
        return 0


def open_stock(
    folder: str, tokenizer_folder: str, *, local: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open a causal language model and a tokenizer that transformers knows, from folders or the
    Hub."""
    transformers.utils.logging.disable_progress_bar()  # small models take a moment
    source = "the model folder" if local else "the Hub's model"
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=local)
        if config.is_encoder_decoder or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise ValueError(f"it is a {config.model_type}, {NOT_CAUSAL}")
        opened: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=local,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=local)
    except Exception as problem:  # a broken file raises errors of many kinds
        raise ValueError(f"{source} {folder} does not open: {first_line(problem)}") from problem
    model, report = opened
    if report["missing_keys"]:
        raise ValueError(
            f"{source} {folder} lacks weights that its config.json asks for:"
            f" {sorted(report['missing_keys'])[0]} and {len(report['missing_keys']) - 1} more"
        )
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer in {folder} names no end-of-text token (eos_token)")
    return model, tokenizer
