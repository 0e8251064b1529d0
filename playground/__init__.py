"""The playground: an export in, stories out, on the screen and in the terminal."""

import os

# MKL, which attention multiplies with, else takes another order of summation for memory that lies
# differently, and so for a thread's turn: a story must be the same to the bit whoever is in its
# batch. MKL reads this at its first product; it costs no speed (measured).
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"  # also in pyproject.toml
