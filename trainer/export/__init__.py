"""The export of a run, its model card, and the snapshots."""
