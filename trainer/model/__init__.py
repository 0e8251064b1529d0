"""The model: blocks, vocabulary, loss, and how models are opened."""
