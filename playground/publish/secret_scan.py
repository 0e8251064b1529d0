"""Find passwords and tokens in files, so that they are not published."""

from __future__ import annotations

import re
from pathlib import Path

SECRETS = {
    "a Hugging Face token": rb"\bhf_[A-Za-z0-9]{30,}",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})",
    "an AWS key": rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an API key": rb"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}",
    "a Google key": rb"\bAIza[A-Za-z0-9_-]{35}",
    "a Slack token": rb"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a Weights & Biases key": rb"(?i)wandb[\w ]*key\W{1,4}[0-9a-f]{40}\b",
    "a password in an address": rb"\b[a-z][a-z0-9+.-]*://[^/\s:@\"'{}]+:[^/\s:@\"'{}]{6,}@",
}
PATTERNS = {name: re.compile(pattern) for name, pattern in SECRETS.items()}
BINARY = {".safetensors", ".woff2", ".png", ".wasm"}  # large files without text


def secret_in(file: Path) -> str | None:
    """Return the kind and the line of a suspected secret in a file; None without a suspicion."""
    if file.suffix in BINARY:
        return None
    data = file.read_bytes()
    for name, pattern in PATTERNS.items():
        if match := pattern.search(data):
            line = data.count(b"\n", 0, match.start()) + 1
            return f"what looks like {name}, in line {line}"
    return None
