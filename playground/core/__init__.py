"""The core in C: the forward pass and the choice of a token, its build and its Python library."""
