"""A LoRA adapter tells what PEFT tells with it, whatever family its base is of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from tests.vocabulary import END_OF_TEXT

peft = pytest.importorskip("peft")
PROMPT = "Once upon a time there was a fox"


@pytest.fixture(params=["llama", "gpt2"])
def adapter(request: pytest.FixtureRequest, folder_of: Any, tmp_path: Path) -> Path:
    """An adapter of random weights, which names its base."""
    base = folder_of(request.param)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(0)
    changed = peft.get_peft_model(
        model, peft.LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", init_lora_weights=False)
    )
    changed.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def greedy_ids(engine: Engine) -> list[int]:
    settings = Settings(temperature=0, length=24, stop_at_end=False)
    with engine.write(PROMPT, settings) as stream:
        return [token.token_id for token in stream]


@pytest.mark.usefixtures("broken_characters")
def test_greedy_tokens_are_those_of_the_adapted_model(adapter: Path) -> None:
    storyteller = ModelFolder.open(adapter, device="cpu")
    base = ModelFolder.open(storyteller.base, device="cpu")
    assert storyteller.facts.name == "adapter"
    assert storyteller.fingerprint != base.fingerprint
    assert storyteller.facts.parameters == base.facts.parameters
    with Engine(storyteller, max_streams=1) as engine:
        ours = greedy_ids(engine)
    with Engine(base, max_streams=1) as engine:
        assert greedy_ids(engine) != ours
    model: Any = AutoModelForCausalLM.from_pretrained(storyteller.base, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(model, str(adapter)).eval()
    ids = torch.tensor([[storyteller.bos_id, *storyteller.encode(PROMPT)]])
    with torch.inference_mode():
        theirs = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24,
            min_new_tokens=24, eos_token_id=None, pad_token_id=END_OF_TEXT,
        )  # fmt: skip
    assert ours == theirs[0, ids.shape[1] :].tolist()


def test_a_base_may_be_given_and_a_missing_one_is_a_sentence(adapter: Path, tmp_path: Path) -> None:
    settings = adapter / "adapter_config.json"
    content = json.loads(settings.read_text())
    base = shutil.copytree(content["base_model_name_or_path"], tmp_path / "base")
    settings.write_text(json.dumps(content | {"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(ValueError, match="the base of the adapter"):
        ModelFolder.open(adapter, device="cpu")
    settings.write_text(json.dumps(content | {"base_model_name_or_path": None}))
    with pytest.raises(ValueError, match="--base"):
        ModelFolder.open(adapter, device="cpu")
    assert ModelFolder.open(adapter, device="cpu", base=base).base == base
    settings.write_text(json.dumps(content | {"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(ValueError, match="PROMPT_TUNING"):
        ModelFolder.open(adapter, device="cpu", base=base)
