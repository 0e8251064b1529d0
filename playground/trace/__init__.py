"""Which parts of a story stand in the training stories word for word."""
