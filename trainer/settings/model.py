"""Settings of the model: its shape, attention and regularization."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.blocks import BLOCKS, GROUPED
from trainer.settings.setting import positive, setting


@dataclass(frozen=True)
class Model:
    """The decoder's shape; every block is a model of stock transformers."""

    init_from: str = setting(
        "",
        "model to start from, which gives the shape: an export, run, checkpoint or Hub name; then"
        " optim.lr, optim.muon_lr and optim.global_batch are those of fine-tuning unless given, and"
        " model.context is the model's, at most 1,024 unless given",
    )
    block: str = setting("qwen3", "the decoder block", choices=tuple(BLOCKS))
    num_layers: int = setting(6, "decoder blocks", unit="layers")
    hidden: int = setting(256, "width of the residual stream")
    num_heads: int = setting(4, "attention heads", unit="heads")
    kv_heads: int = setting(
        0,
        "heads of keys and values, each shared by a group of attention heads"
        f" ({', '.join(GROUPED)}); 0: as many as model.num_heads",
        unit="heads",
    )
    intermediate: int = setting(1024, "width inside the MLP")
    context: int = setting(512, "context of the model", unit="tokens")
    attention: str = setting(
        "story",
        "what a token sees while training: its own story, or all before it in its block",
        choices=("story", "block"),
    )
    dropout: float = setting(
        0.0, "probability that an embedding's or a block output's channel is zeroed in training"
    )
    stochastic_depth: float = setting(
        0.0,
        "probability that a sequence skips the last block's attention, and over its MLP, in"
        " training; rises with the layers, to keep a small corpus from being memorised",
    )
    teachers: str = setting(
        "",
        "models whose predictions the run learns besides the stories, separated by commas: exports,"
        " runs, checkpoints or Hub names with the same tokenizer and one of these blocks",
        separator=",",
    )
    compact_vocabulary: bool = setting(
        True, "train embedding and head for the ids that the corpus uses; the export has all"
    )

    @property
    def teacher_names(self) -> list[str]:
        """Return the names of the teachers."""
        return [name.strip() for name in self.teachers.split(",") if name.strip()]

    def complaints(self) -> list[str]:
        """Return a message for each invalid value."""
        sizes = ("num_layers", "hidden", "num_heads", "intermediate", "context")
        complaints = positive("model", {key: getattr(self, key) for key in sizes})
        for key in ("dropout", "stochastic_depth"):
            if not 0 <= getattr(self, key) < 1:
                complaints.append(
                    f"model.{key} must be from 0 to below 1, not {getattr(self, key)}"
                )
        if self.init_from or self.num_heads <= 0:  # the shape is that of the existing model
            return complaints
        if self.hidden % self.num_heads or self.hidden // self.num_heads % 2:
            complaints.append(
                f"model.hidden ({self.hidden}) must split into model.num_heads "
                f"({self.num_heads}) heads of even width"
            )
        if self.kv_heads < 0 or (self.kv_heads and self.num_heads % self.kv_heads):
            complaints.append(
                f"model.kv_heads must be 0 (as many as model.num_heads) or divide the "
                f"{self.num_heads} heads, not {self.kv_heads}"
            )
        elif self.kv_heads not in (0, self.num_heads) and self.block not in GROUPED:
            complaints.append(
                f"model.kv_heads must be 0 with model.block {self.block}: only "
                f"{', '.join(GROUPED)} share keys among heads"
            )
        return complaints
