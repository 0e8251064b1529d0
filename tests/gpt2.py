"""GPT-2's vocabulary, in numbers that tests compare with."""

SIZE = 50_257
END_OF_TEXT = 50_256
