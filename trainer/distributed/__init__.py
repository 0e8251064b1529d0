"""Run several processes as one: the engine, their communication, and the loss of a process."""
