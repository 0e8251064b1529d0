"""The playground: an export in, stories out, on the screen and in the terminal."""
