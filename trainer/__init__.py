"""The trainer: real stories in, a storyteller's standard safetensors folder out."""

__version__ = "0.1.0"  # also in pyproject.toml
