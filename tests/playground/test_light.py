"""Playing an own export on a CPU needs neither PyTorch nor transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.folder import libraries
from playground.folder.model_folder import ModelFolder
from playground.publish import hub as client
from tests.paths import ROOT
from tests.processes import free_port

HEAVY = ("torch", "transformers", "peft", "accelerate")
OPEN = """
import sys
from playground.folder.model_folder import ModelFolder
model = ModelFolder.open(sys.argv[1])
ids = model.encode("Once upon a time")
assert model.tokenizer.decode(ids) == "Once upon a time"
assert sum(array.size for array in model.weights.values()) == model.facts.parameters
print([name for name in sys.argv[2:] if name in sys.modules])
"""


def printed(code: str, *arguments: object) -> str:
    """What another Python says of some code, in the project's folder."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.process
def test_a_model_folder_is_opened_without_them(folder_of: Callable[[str], Path]) -> None:
    for folder in (ROOT / "models" / "storyteller", *map(folder_of, ("gpt2", "llama", "qwen3"))):
        assert printed(OPEN, folder, *HEAVY) == "[]"


APP = """
import sys
for name in sys.argv[3:]:
    sys.modules[name] = None
sys.argv = ["app.py", "--no-browser", "--model", sys.argv[1], "--port", sys.argv[2]]
import app
app.main()
"""


@pytest.mark.process
def test_the_terminal_and_the_app_write_without_them(tiny_export: Path) -> None:
    """Hides them from fresh interpreters, as if they were not installed."""
    hidden = "".join(f"sys.modules[{name!r}] = None;" for name in HEAVY)
    terminal = (
        f"import sys; {hidden} from playground.generate import main; sys.exit(main(sys.argv[1:]))"
    )
    assert printed(terminal, tiny_export, "--prompt", "A fox", "--length", "5").startswith("A fox")
    port = free_port()
    app = subprocess.Popen(
        [sys.executable, "-c", APP, str(tiny_export), str(port), *HEAVY],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert app.stdout is not None
        assert "Inkling is open at" in app.stdout.readline()
        assert client.first_story(f"http://127.0.0.1:{port}", private=False).startswith("Once upon")
    finally:
        app.terminate()
        app.wait()


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_what_needs_them_says_how_to_install_them(
    missing: str,
    folder_of: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    sentence = f"needs the package {missing}: pip install torch"
    with pytest.raises(ValueError, match=f"a tokenizer without tokenizer.json, which {sentence}"):
        ModelFolder.open(folder, device="cpu")
    config = json.loads((folder / "config.json").read_text())
    for change in ({"hidden_act": "gelu"}, {"model_type": "gpt_neox"}):
        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ValueError, match=f"{folder} holds a model of the type .* {sentence}"):
            ModelFolder.open(folder, device="cpu")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=f"a LoRA adapter, which {sentence}"):
        ModelFolder.open(adapter, device="cpu", base=folder_of("llama"))


def test_make_asks_whether_a_model_needs_them(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    def needs(folder: Path) -> bool:
        return libraries.main([str(folder)]) == 0

    assert not needs(ROOT / "models" / "storyteller")
    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "runs" / "mine" / "export"))
    assert not needs(folder.parent)
    assert not needs(tmp_path / "nowhere")  # the app says what is wrong
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mlp_bias": True}))
    assert needs(folder.parent)
    other = Path(shutil.copytree(folder_of("gpt2"), tmp_path / "without"))
    (other / "tokenizer.json").unlink()
    assert needs(other)
