"""The forward pass: the core on a CPU, PyTorch on a GPU, transformers for other shapes."""
