"""GPT-2's tokenizer and tokenizers of a corpus."""
