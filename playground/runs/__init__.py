"""Runs of the trainer, as their folders show them: looked at, started, stopped and opened."""
