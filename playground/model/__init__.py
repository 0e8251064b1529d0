"""A model folder, opened and computed: weights, tokenizer, forward pass, candidates."""
