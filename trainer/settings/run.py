"""Settings of the run: its folder, seed, and the intervals of logging and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.setting import positive, setting

TRACKERS = ("tensorboard", "trackio", "wandb")


@dataclass(frozen=True)
class Run:
    """Run folder, seed, and the intervals of logging, validation and checkpoints."""

    dir: str = setting("", "folder of this run alone; empty means runs/<preset>")
    fresh: bool = setting(False, "start over and delete the run in run.dir")
    dry_run: bool = setting(
        False, "print the plan of the run with measured speed and memory, without training"
    )
    minutes: float = setting(
        0.0,
        "time after which the run saves and stops; the same command resumes it; 0: no limit",
        unit="minutes",
    )
    seed: int = setting(1337, "seed of weights, block order and dropout")
    log_every: int = setting(10, "steps between two lines of metrics.jsonl", unit="steps")
    save_every: int = setting(
        0, "steps between two checkpoints; 0: a hundredth of the run, at least 200", unit="steps"
    )
    keep_last: int = setting(2, "newest checkpoints kept, besides the best", unit="checkpoints")
    validate_every: int = setting(
        0, "steps between validations; 0: a hundredth of the run, at least 200", unit="steps"
    )
    validate_blocks: int = setting(64, "size of each validation", unit="blocks")
    evaluate_stories: int = setting(
        500, "validation stories that the export is evaluated with; 0 means all", unit="stories"
    )
    continue_stories: int = setting(
        100,
        "how many of those stories are continued from the middle for the model card: BLEU, "
        "copied runs; 0 is off",
        unit="stories",
    )
    export_checkpoint: str = setting(
        "last",
        "which model is exported: that of the last step, or the one with the lowest validation loss"
        " (on small data the last one has often memorised its stories)",
        choices=("last", "best"),
    )
    export_precision: str = setting(
        "fp32", "type of the exported weights; fp16 halves the file", choices=("fp32", "fp16")
    )
    snapshots: int = setting(
        12,
        "times that the model is kept in fp16, at log-spaced steps from the first to the last, to"
        " see how it learned (38 MB each at the default size); 0 is off",
        unit="snapshots",
    )
    sample_prompts: str = setting(
        "Once upon a time|One day, a little girl named Lily|Tom and his dog",
        "openings of the sample stories, separated by |",
        separator="|",
    )
    sample_length: int = setting(100, "length of the sample stories", unit="tokens")
    license: str = setting("", "licence of the exported model, named in the model card: mit, ...")
    corpus_name: str = setting(
        "", "name of the stories in the model card; empty: that of the token store"
    )
    corpus_license: str = setting("", "licence of the stories, named in the model card")
    trackers: str = setting(
        "",
        f"where to log besides metrics.jsonl, separated by commas: {', '.join(TRACKERS)}",
        separator=",",
    )

    @property
    def tracker_names(self) -> list[str]:
        """Return the names of the trackers."""
        return [name.strip() for name in self.trackers.split(",") if name.strip()]

    def complaints(self) -> list[str]:
        """Return a message for each invalid value."""
        counts = ("log_every", "keep_last", "validate_blocks", "sample_length")
        complaints = positive("run", {key: getattr(self, key) for key in counts})
        if self.minutes < 0:
            complaints.append(f"run.minutes must be 0 (no limit) or more, not {self.minutes}")
        for key in ("save_every", "validate_every"):
            if getattr(self, key) < 0:
                complaints.append(
                    f"run.{key} must be 0 (automatic) or more, not {getattr(self, key)}"
                )
        if not 0 <= self.seed < 2**32:
            complaints.append(f"run.seed must be from 0 to 4294967295, not {self.seed}")
        zeros = {"evaluate_stories": "all", "continue_stories": "off", "snapshots": "off"}
        for key, zero in zeros.items():
            if getattr(self, key) < 0:
                complaints.append(f"run.{key} must be 0 ({zero}) or more, not {getattr(self, key)}")
        complaints += [
            f"run.trackers knows {', '.join(TRACKERS)}, not {name!r}"
            for name in self.tracker_names
            if name not in TRACKERS
        ]
        return complaints
