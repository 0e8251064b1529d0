"""A run's settings: one frozen dataclass per concern, every key with its meaning and unit.

A key is written once, here: the preset files, the command line (`--section.key value`), the
printed help and `training.json` are all read off these classes. Values are checked together, and
every complaint names its key.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.corpus_config import Corpus
from trainer.setting import positive, setting

TRACKERS = ("tensorboard", "trackio", "wandb")
BLOCKS = ("gpt2", "gpt_neo", "llama", "qwen3")  # as transformers calls them: model_type
GROUPED_BLOCKS = ("llama", "qwen3")  # whose attention heads can share keys and values


@dataclass(frozen=True)
class Run:
    """Run folder, seed, and the intervals of logging, validation and checkpoints."""

    dir: str = setting("", "folder of the run, its own; empty means runs/<preset>")
    fresh: bool = setting(False, "start over and drop the run that is in run.dir")
    dry_run: bool = setting(False, "only say what the run would be, with measured speed and memory")
    minutes: float = setting(
        0.0,
        "time after which the run saves and stops, to be gone on with by the same command; 0: none",
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
    validate_blocks: int = setting(64, "size of that validation", unit="blocks")
    evaluate_stories: int = setting(
        500, "validation stories that the export is evaluated with; 0 means all", unit="stories"
    )
    continue_stories: int = setting(
        100,
        "of those, whose second halves it writes for its card: BLEU, copied runs; 0 is off",
        unit="stories",
    )
    export_checkpoint: str = setting(
        "last",
        "which model is exported: that of the last step, or the one with the lowest validation loss"
        " (small data learned by heart makes the last one worse)",
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
    license: str = setting("", "licence of the exported model, named in its card: mit, ...")
    corpus_name: str = setting(
        "", "how the model card calls the stories; empty: as the token store does"
    )
    corpus_license: str = setting("", "licence of the stories, named in the model card")
    trackers: str = setting(
        "",
        f"where to log besides metrics.jsonl, separated by commas: {', '.join(TRACKERS)}",
        separator=",",
    )

    @property
    def tracker_names(self) -> list[str]:
        """The trackers, one by one."""
        return [name.strip() for name in self.trackers.split(",") if name.strip()]

    def complaints(self) -> list[str]:
        """What is wrong with these values, a sentence each."""
        counts = ("log_every", "keep_last", "validate_blocks", "sample_length")
        found = positive("run", {key: getattr(self, key) for key in counts})
        if self.minutes < 0:
            found.append(f"run.minutes must be 0 (no limit) or more, not {self.minutes}")
        for key in ("save_every", "validate_every"):
            if getattr(self, key) < 0:
                found.append(f"run.{key} must be 0 (automatic) or more, not {getattr(self, key)}")
        if not 0 <= self.seed < 2**32:
            found.append(f"run.seed must be from 0 to 4294967295, not {self.seed}")
        zeros = {"evaluate_stories": "all", "continue_stories": "off", "snapshots": "off"}
        for key, zero in zeros.items():
            if getattr(self, key) < 0:
                found.append(f"run.{key} must be 0 ({zero}) or more, not {getattr(self, key)}")
        found += [
            f"run.trackers knows {', '.join(TRACKERS)}, not {name!r}"
            for name in self.tracker_names
            if name not in TRACKERS
        ]
        return found


@dataclass(frozen=True)
class Model:
    """The decoder's shape; each block is one that stock transformers knows."""

    init_from: str = setting(
        "",
        "model to start from, which gives the shape: an export, run, checkpoint or Hub name; then"
        " optim.lr, optim.muon_lr and optim.global_batch are those of fine-tuning unless given, and"
        " model.context is the model's, at most 1,024 unless given",
    )
    block: str = setting("qwen3", "the decoder block", choices=BLOCKS)
    num_layers: int = setting(6, "decoder blocks", unit="layers")
    hidden: int = setting(256, "width of the residual stream")
    num_heads: int = setting(4, "attention heads", unit="heads")
    kv_heads: int = setting(
        0,
        "heads of keys and values, each shared by a group of attention heads (llama, qwen3); 0: as"
        " many as model.num_heads",
        unit="heads",
    )
    intermediate: int = setting(1024, "width inside the MLP")
    context: int = setting(512, "tokens the model can look back on", unit="tokens")
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
        "probability that a sequence passes over the last block's attention, and over its MLP, in"
        " training; rises with the layers, to keep a small corpus from being learned by heart",
    )
    teachers: str = setting(
        "",
        "models whose predictions it learns besides the stories, separated by commas: exports,"
        " runs, checkpoints or Hub names with the same tokenizer and one of these blocks",
        separator=",",
    )
    compact_vocabulary: bool = setting(
        True, "train embedding and head for the ids that the corpus uses; the export has all"
    )

    @property
    def teacher_names(self) -> list[str]:
        """The teachers, one by one."""
        return [name.strip() for name in self.teachers.split(",") if name.strip()]

    def complaints(self) -> list[str]:
        """What is wrong with these values, a sentence each."""
        sizes = ("num_layers", "hidden", "num_heads", "intermediate", "context")
        found = positive("model", {key: getattr(self, key) for key in sizes})
        for key in ("dropout", "stochastic_depth"):
            if not 0 <= getattr(self, key) < 1:
                found.append(f"model.{key} must be from 0 to below 1, not {getattr(self, key)}")
        if self.init_from or self.num_heads <= 0:  # the shape is that of a model which exists
            return found
        if self.hidden % self.num_heads or self.hidden // self.num_heads % 2:
            found.append(
                f"model.hidden ({self.hidden}) must split into model.num_heads "
                f"({self.num_heads}) heads of even width"
            )
        if self.kv_heads < 0 or (self.kv_heads and self.num_heads % self.kv_heads):
            found.append(
                f"model.kv_heads must be 0 (as many as model.num_heads) or divide the "
                f"{self.num_heads} heads, not {self.kv_heads}"
            )
        elif self.kv_heads not in (0, self.num_heads) and self.block not in GROUPED_BLOCKS:
            found.append(
                f"model.kv_heads must be 0 with model.block {self.block}: only "
                f"{' and '.join(GROUPED_BLOCKS)} share keys among heads"
            )
        return found


@dataclass(frozen=True)
class Optim:
    """How the weights move."""

    global_batch: int = setting(64, "blocks an update reads, over all processes", unit="blocks")
    epochs: float = setting(10.0, "passes over the corpus", unit="epochs")
    steps: int = setting(0, "updates; 0 means what optim.epochs asks for", unit="steps")
    optimizer: str = setting(
        "muon", "AdamW, or Muon for the matrices inside the blocks", choices=("adamw", "muon")
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
        0, "the same as a number of updates, for a run that may go on longer; 0: by the ratio"
    )
    weight_decay: float = setting(0.1, "decoupled decay of the weight matrices")
    muon_momentum: float = setting(0.95, "momentum of Muon")
    beta1: float = setting(0.9, "AdamW's beta1: decay of the mean of gradients")
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
        """What is wrong with these values, a sentence each."""
        found = positive(
            "optim",
            {
                key: getattr(self, key)
                for key in ("global_batch", "epochs", "lr", "muon_lr", "max_grad_norm")
            },
        )
        if self.epochs > 1e6:
            found.append(f"optim.epochs must be at most 1,000,000, not {self.epochs:g}")
        if self.steps < 0:
            found.append(f"optim.steps must be 0 (from optim.epochs) or more, not {self.steps}")
        if self.warmup_steps < 0:
            found.append(f"optim.warmup_steps must be 0 or more, not {self.warmup_steps}")
        if self.weight_decay < 0:
            found.append(f"optim.weight_decay must be 0 or more, not {self.weight_decay}")
        for key in ("final_lr_ratio", "warmup_ratio", "decay_ratio", "teacher_weight"):
            if not 0 <= getattr(self, key) <= 1:
                found.append(f"optim.{key} must be from 0 to 1, not {getattr(self, key)}")
        for key in ("beta1", "beta2", "muon_momentum"):
            if not 0 <= getattr(self, key) < 1:
                found.append(f"optim.{key} must be from 0 to below 1, not {getattr(self, key)}")
        return found


@dataclass(frozen=True)
class Runtime:
    """What the run runs on; nothing here but the precision changes what is learned beyond the last
    bits."""

    precision: str = setting(
        "auto", "arithmetic of the matrix products", choices=("auto", "fp32", "bf16")
    )
    compile: str = setting(
        "auto", "compile the model (pays on long runs)", choices=("auto", "on", "off")
    )
    deepspeed: str = setting(
        "auto",
        "DeepSpeed, worth it from some 500M parameters; auto: when the launcher asks for it",
        choices=("auto", "on", "off"),
    )
    deepspeed_config: str = setting(
        "", "DeepSpeed's file (JSON) with ZeRO stage 1, 2 or 3; empty means ds_config.json, stage 2"
    )
    deterministic: bool = setting(True, "on a GPU, only kernels that give the same bits every time")
    micro_batch: int = setting(
        0, "blocks a process reads at once; 0 means as many as fit the batch", unit="blocks"
    )
    timeout: int = setting(
        600, "a process that does not hear of the others for so long ends", unit="seconds"
    )

    def complaints(self) -> list[str]:
        """What is wrong with these values, a sentence each."""
        found = positive("runtime", {"timeout": self.timeout})
        if self.micro_batch < 0:
            found.append(
                f"runtime.micro_batch must be 0 (automatic) or more, not {self.micro_batch}"
            )
        return found


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    preset: str
    run: Run
    corpus: Corpus
    model: Model
    optim: Optim
    runtime: Runtime
    given: frozenset[str] = frozenset()  # settings named by the command line or its own file

    def __post_init__(self) -> None:
        found: list[str] = []
        for section in SECTIONS:
            part = getattr(self, section)
            for key in dataclasses.fields(part):
                choices, value = key.metadata["choices"], getattr(part, key.name)
                if isinstance(value, float) and not math.isfinite(value):
                    found.append(f"{section}.{key.name} must be a finite number, not {value}")
                    continue
                if choices and value not in choices:
                    found.append(
                        f"{section}.{key.name} must be one of {', '.join(choices)}, not {value!r}"
                    )
            found += part.complaints()
        if found:
            raise ValueError("; ".join(found))

    @property
    def name(self) -> str:
        """What the run is called: its preset's name, without the path and ending of a file."""
        return Path(self.preset).stem

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.run.dir or f"runs/{self.name}").expanduser()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The settings as plain values, a dictionary a section."""
        return {section: dataclasses.asdict(getattr(self, section)) for section in SECTIONS}


SECTIONS: dict[str, type] = {
    "run": Run,
    "corpus": Corpus,
    "model": Model,
    "optim": Optim,
    "runtime": Runtime,
}
