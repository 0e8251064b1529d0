"""Where the project and its parts are, for tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOKENIZER = ROOT / "trainer" / "corpus" / "tokenizer" / "gpt2"
