"""The smallest run that does all that a run does: two CPU seconds, and one for its stories."""

SMALL = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "32", "--optim.global_batch", "4", "--corpus.tokenizer", "train:300"),
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.evaluate_stories", "1"),
    *("--run.snapshots", "1", "--run.continue_stories", "0", "--runtime.compile", "off"),
]
