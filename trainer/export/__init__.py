"""What leaves a run: the export, its model card, and the snapshots on the way."""

from trainer.export.model_card import describe, write_card
from trainer.export.transformers_folder import export, save_model

__all__ = ["describe", "export", "save_model", "write_card"]
