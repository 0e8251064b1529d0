"""Settings of the optimizer, the batch and the learning-rate schedule."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.setting import positive, setting


@dataclass(frozen=True)
class Kinds:
    """The kind of update (trainer/optim/optimizer.py) of each group of weights.

    Attributes:
        inside_layers: of the matrices inside the layers.
        elsewhere: of embeddings, gains and biases.
    """

    inside_layers: str
    elsewhere: str


OPTIMIZERS = {
    "adamw": Kinds("adamw", "adamw"),
    "muon": Kinds("muon", "adamw"),
    "lion": Kinds("lion", "lion"),
}


@dataclass(frozen=True)
class Optim:
    """Optimizer and learning-rate schedule."""

    global_batch: int = setting(64, "blocks an update reads, over all processes", unit="blocks")
    epochs: float = setting(10.0, "passes over the corpus", unit="epochs")
    steps: int = setting(0, "updates; 0: as many as optim.epochs needs", unit="steps")
    optimizer: str = setting(
        "muon",
        "AdamW; Muon for the matrices inside the layers, AdamW elsewhere; or Lion",
        choices=tuple(OPTIMIZERS),
    )
    lr: float = setting(2e-3, "peak learning rate of AdamW")
    muon_lr: float = setting(
        4e-3, "peak learning rate of Muon, on AdamW's scale (updates of equal size)"
    )
    schedule: str = setting(
        "cosine",
        "how the learning rate falls: along a cosine, or level and then straight down (wsd)",
        choices=("cosine", "wsd"),
    )
    decay_ratio: float = setting(0.2, "part of the steps in which wsd goes down")
    final_lr_ratio: float = setting(0.0, "learning rate at the end, as a part of optim.lr")
    warmup_ratio: float = setting(
        0.02, "part of the steps in which the learning rate rises linearly"
    )
    warmup_steps: int = setting(
        0, "the same as a number of updates, for a run that may become longer; 0: by the ratio"
    )
    weight_decay: float = setting(0.1, "decoupled decay of the weight matrices")
    muon_momentum: float = setting(0.95, "momentum of Muon")
    beta1: float = setting(0.9, "decay of the mean of gradients: AdamW's beta1, and Lion's")
    beta2: float = setting(0.95, "AdamW's beta2: decay of the mean of squared gradients")
    shift_blocks: bool = setting(
        True, "after the first epoch, cut the stories into blocks at other tokens in every epoch"
    )
    teacher_weight: float = setting(
        0.5, "part of the loss that is the cross-entropy with model.teachers, if there are any"
    )
    z_loss: float = setting(0.0, "weight of the squared log-sum-exp of the logits in the loss")
    max_grad_norm: float = setting(1.0, "norm to which a larger gradient is clipped")

    def complaints(self) -> list[str]:
        """Return a message for each invalid value."""
        complaints = positive(
            "optim",
            {
                key: getattr(self, key)
                for key in ("global_batch", "epochs", "lr", "muon_lr", "max_grad_norm")
            },
        )
        if self.epochs > 1e6:
            complaints.append(f"optim.epochs must be at most 1,000,000, not {self.epochs:g}")
        if self.steps < 0:
            complaints.append(
                f"optim.steps must be 0 (from optim.epochs) or more, not {self.steps}"
            )
        if self.warmup_steps < 0:
            complaints.append(f"optim.warmup_steps must be 0 or more, not {self.warmup_steps}")
        if self.weight_decay < 0:
            complaints.append(f"optim.weight_decay must be 0 or more, not {self.weight_decay}")
        for key in ("final_lr_ratio", "warmup_ratio", "decay_ratio", "teacher_weight"):
            if not 0 <= getattr(self, key) <= 1:
                complaints.append(f"optim.{key} must be from 0 to 1, not {getattr(self, key)}")
        for key in ("beta1", "beta2", "muon_momentum"):
            if not 0 <= getattr(self, key) < 1:
                complaints.append(
                    f"optim.{key} must be from 0 to below 1, not {getattr(self, key)}"
                )
        return complaints
