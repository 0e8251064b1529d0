"""From any file or data set to stories."""
