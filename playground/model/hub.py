"""Models on the Hugging Face Hub by their name: fetched once, then opened from the cache without a
network.

Only configuration, tokenizer and safetensors are fetched. Where a repository has its weights as a
pickle alone, the Hub's own converter (SFconvertbot) has often offered them as safetensors in a pull
request; those are taken.
"""

from __future__ import annotations

import re
from pathlib import Path

FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
CONVERTER = "SFconvertbot"


def is_name(text: str) -> bool:
    """Whether a text has the form of a repository's name, owner/name."""
    return NAME.fullmatch(text) is not None


def fetch(name: str) -> Path:
    """The folder of a repository, from the cache or fetched.

    Raises:
        ValueError: there is no such model, or the Hub cannot be reached; one sentence.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if (folder := cached(name)) is not None:
        return folder
    try:
        return download(name)
    except GatedRepoError:
        raise ValueError(
            f"{name} asks for an agreement: accept it on https://huggingface.co/{name}, then log "
            "in with `hf auth login`."
        ) from None
    except RepositoryNotFoundError:
        raise ValueError(
            f"there is no model folder {name}, and no model of this name on the Hub."
        ) from None
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0][:150]
        raise ValueError(
            f"there is no model folder {name}, and the Hub did not answer ({reason}): "
            "try again with a network."
        ) from None


def download(name: str) -> Path:
    """Fetch a repository's files, its weights from the converter's pull request if need be."""
    from huggingface_hub import HfApi, snapshot_download

    folder = Path(snapshot_download(name, allow_patterns=FILES, ignore_patterns="*/*"))
    if any(folder.glob("*.safetensors")):
        return folder
    for offer in HfApi().get_repo_discussions(name, discussion_type="pull_request"):
        if offer.author == CONVERTER and offer.git_reference:
            return Path(
                snapshot_download(
                    name,
                    revision=offer.git_reference,
                    allow_patterns=FILES,
                    ignore_patterns="*/*",
                )
            )
    raise ValueError(
        f"{name} has its weights as a pickle, which can run code and is not opened: ask for "
        "safetensors at https://huggingface.co/spaces/safetensors/convert."
    )


def cached(name: str) -> Path | None:
    """The folder of a repository in the cache, if its weights are there too."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    # The converter's weights lie beside the main version.
    for found in [folder, *sorted(folder.parent.iterdir())]:
        if (found / "config.json").is_file() and any(found.glob("*.safetensors")):
            return found
    return None
