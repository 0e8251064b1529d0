"""The tables and pictures of an evaluation."""
