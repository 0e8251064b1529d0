"""Many processes as one run: the engine, what they share, and what happens when one is lost."""
