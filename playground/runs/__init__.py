"""Start, watch, stop and open runs of the trainer, from the files in their folders alone."""
