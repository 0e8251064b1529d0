"""Publishing to the Hugging Face Hub: a model, and the playground as a Space."""
