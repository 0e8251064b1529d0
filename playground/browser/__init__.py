"""A page that writes stories in the visitor's own browser, made from an export."""

WEIGHTS = {"fp16": 8, "int8": 16}  # kinds of weights, and how many of a row stand together
