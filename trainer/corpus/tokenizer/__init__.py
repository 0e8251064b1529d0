"""Tokenizers: GPT-2's and those of a corpus."""
