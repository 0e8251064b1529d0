"""What a model folder says: weights, tokenizer, configuration, history."""
