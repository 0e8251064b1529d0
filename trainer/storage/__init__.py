"""What reaches the disk: atomic writes, checksums, checkpoints."""
