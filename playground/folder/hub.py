"""Models on the Hugging Face Hub by their name: fetched once, then opened from the cache without a
network.

Only configuration, tokenizer and safetensors are fetched. Where a repository has its weights as a
pickle alone, the Hub's own converter (SFconvertbot) has often offered them as safetensors in a pull
request; those are taken.
"""

from __future__ import annotations

import re
from pathlib import Path

from playground.folder.json_file import read_json
from playground.sentences import first_line

FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
CONVERTER = "SFconvertbot"


def is_name(text: str) -> bool:
    """Return whether a text has the form of a repository's name, owner/name."""
    return NAME.fullmatch(text) is not None


def fetch(name: str) -> Path:
    """Return the folder of a repository, from the cache or fetched.

    Raises:
        ValueError: the Hub does not have the model or cannot be reached; one sentence.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

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
    except ValueError:
        raise
    except Exception as error:  # the library and the one below it raise many kinds
        raise ValueError(
            f"there is no model folder {name}, and the Hub did not answer ({first_line(error)}): "
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
    """Return the folder of a repository in the cache, if its weights are there."""
    from huggingface_hub import try_to_load_from_cache

    for file in ("config.json", "adapter_config.json"):
        found = try_to_load_from_cache(name, file)
        if isinstance(found, str):
            main = Path(found).parent
            # The converter's weights lie beside the main version.
            return next(filter(is_whole, [main, *sorted(main.parent.iterdir())]), None)
    return None


def is_whole(folder: Path) -> bool:
    """Return whether all weights of a folder are there: a download may have been stopped."""
    parts = read_json(folder / "model.safetensors.index.json").get("weight_map", {}).values()
    return any(folder.glob("*.safetensors")) and all((folder / part).exists() for part in parts)
