"""From stories to a token store."""
