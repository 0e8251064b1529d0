"""Finds the parts of a story that stand in the training stories word for word."""
