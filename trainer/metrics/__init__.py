"""Write, read and draw the metrics of a run."""
