"""The model: blocks, vocabulary, loss, and opening models."""
