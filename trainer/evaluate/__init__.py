"""Evaluate a model: its likelihood of true stories, and the quality of its own stories."""
