"""Models as folders."""

import shutil
from pathlib import Path

from transformers import PreTrainedModel

from tests.paths import TOKENIZER


def model_folder(folder: Path, model: PreTrainedModel) -> Path:
    """The model with GPT-2's tokenizer, as transformers keeps them."""
    model.save_pretrained(folder)
    for file in TOKENIZER.iterdir():
        shutil.copy(file, folder)
    return folder
