"""The playground: an export in, stories out, on the screen and in the terminal."""

__version__ = "0.1.0"  # also in pyproject.toml
