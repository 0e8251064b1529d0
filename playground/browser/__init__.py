"""Build a page that writes stories in the visitor's own browser, from an export."""

WEIGHTS = ("fp16", "int8")
