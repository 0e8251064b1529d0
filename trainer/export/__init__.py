"""What leaves a run: the export, its model card, and the snapshots on the way."""
