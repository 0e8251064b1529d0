"""A page that writes stories in the visitor's own browser, made from an export."""

WEIGHTS = ("fp16", "int8")
