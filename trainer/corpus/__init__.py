"""From raw stories to a token store, and the order in which training reads it."""

from trainer.corpus.store.build import build_store

__all__ = ["build_store"]
