"""Show what a model computed before it chose a token: attention, logit lens, importance."""
