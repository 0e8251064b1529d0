"""A picture of what the model computed before it chose a token: attention, layers, importance."""
