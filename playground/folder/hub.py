"""Download models from the Hugging Face Hub; later they are opened from the cache, also offline.

Only configuration, tokenizer and safetensors are downloaded. If a repository has only a pickle of
its weights, the safetensors that the Hub's converter (SFconvertbot) offered in a pull request are
used.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playground.folder.json_file import read_json
from playground.sentences import first_line

FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
CONVERTER = "SFconvertbot"


def is_name(text: str) -> bool:
    """Return whether a text has the form of a repository's name, owner/name."""
    return NAME.fullmatch(text) is not None


def fetch(name: str) -> Path:
    """Return the folder of a repository, from the cache or after a download.

    Raises:
        ValueError: the Hub does not have the model, or cannot be reached.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if (folder := cached(name)) is not None:
        return folder
    try:
        return download(name)
    except GatedRepoError:
        raise ValueError(
            f"{name} is gated: accept its terms on https://huggingface.co/{name}, then log in with "
            "`hf auth login`."
        ) from None
    except RepositoryNotFoundError:
        raise ValueError(
            f"there is no model folder {name}, and no model of this name on the Hub."
        ) from None
    except ValueError:
        raise
    except Exception as error:  # huggingface_hub and its HTTP client raise many kinds
        raise ValueError(
            f"there is no model folder {name}, and the Hub did not answer ({first_line(error)}): "
            "try again with a network."
        ) from None


def download(name: str) -> Path:
    """Download a repository, if necessary with the weights of the converter's pull request."""
    from huggingface_hub import HfApi, snapshot_download

    files: Any = {"allow_patterns": FILES, "ignore_patterns": "*/*"}
    folder = Path(snapshot_download(name, **files))
    if any(folder.glob("*.safetensors")):
        return folder
    for pull_request in HfApi().get_repo_discussions(name, discussion_type="pull_request"):
        revision = pull_request.git_reference
        if pull_request.author == CONVERTER and revision:
            return Path(snapshot_download(name, revision=revision, **files))
    raise ValueError(
        f"{name} has its weights as a pickle, which could run code and is not opened: request "
        "safetensors at https://huggingface.co/spaces/safetensors/convert."
    )


def cached(name: str) -> Path | None:
    """Return the folder of a repository in the cache, if its weights are there."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("config.json", "adapter_config.json"):
        path = try_to_load_from_cache(name, file)
        if isinstance(path, str):
            main = Path(path).parent
            # The revision with the converter's weights is a sibling of the main one.
            return next(filter(is_complete, [main, *sorted(main.parent.iterdir())]), None)
    return None


def is_complete(folder: Path) -> bool:
    """Return whether a folder has all its weights: a download may have been interrupted."""
    parts = read_json(folder / "model.safetensors.index.json").get("weight_map", {}).values()
    return any(folder.glob("*.safetensors")) and all((folder / part).exists() for part in parts)
