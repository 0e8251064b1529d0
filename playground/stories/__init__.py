"""The record of a story, and what is made of it."""
