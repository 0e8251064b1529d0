"""The decode loop: many sequences in one running batch, each with its record."""
