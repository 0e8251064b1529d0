"""The metrics of a run: written, read, drawn."""
