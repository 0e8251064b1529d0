"""Settings of a run: fields, sections, presets and the command line."""
