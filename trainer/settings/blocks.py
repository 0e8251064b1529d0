"""The decoder blocks that can be trained: one row of BLOCKS each.

Settings, model, optimizer, GGUF export and error messages read this table, so a new block is a row.
Classes of transformers are given by name and imported when a model is created: reading a command
line must not import PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.settings.model import Model

ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class Block:
    """The properties of a transformers model that the trainer needs.

    Attributes:
        config, model: classes of its configuration and of the model with its head.
        sizes: the configuration's names of the settings of the shape.
        more: other values of a new model's configuration.
        layers, embedding: weight names of the list of layers and of the embedding. Muon updates the
            matrices inside the layers.
        residual: suffixes of the projections into the residual stream, if the class does not scale
            their initialization.
        dropout: the configuration's own dropout settings; without any, the trainer adds dropout.
        gguf: values of the configuration that llama.cpp supports; None if it cannot compute it.
        gguf_needs_head: whether llama.cpp needs a separate head, although it is tied.
        gguf_rotates_pairs: whether llama.cpp's rotary positions rotate adjacent values, where
            transformers rotates the two halves of a head.
    """

    config: str
    model: str
    sizes: Mapping[str, str]
    more: Callable[[Model], dict[str, Any]]
    layers: str = "layers"
    embedding: str = "embed_tokens.weight"
    residual: tuple[str, ...] = ()
    dropout: tuple[str, ...] = ()
    gguf: Mapping[str, Any] | None = None
    gguf_needs_head: bool = False
    gguf_rotates_pairs: bool = False

    @property
    def is_grouped(self) -> bool:
        """Return whether several attention heads can share keys and values."""
        return "kv_heads" in self.sizes


@dataclass(frozen=True)
class RotaryBlock(Block):
    """A block with rotary positions, RMSNorm and a gated MLP, as in Llama."""

    sizes: Mapping[str, str] = field(
        default_factory=lambda: {
            "num_layers": "num_hidden_layers",
            "hidden": "hidden_size",
            "num_heads": "num_attention_heads",
            "kv_heads": "num_key_value_heads",
            "intermediate": "intermediate_size",
            "context": "max_position_embeddings",
        }
    )
    more: Callable[[Model], dict[str, Any]] = lambda shape: {
        "head_dim": shape.hidden // shape.num_heads,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROTARY_BASE},
    }
    residual: tuple[str, ...] = ("o_proj.weight", "down_proj.weight")
    gguf: Mapping[str, Any] | None = field(
        default_factory=lambda: {
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "use_sliding_window": False,
        }
    )


def alternating_attention(shape: Model) -> dict[str, Any]:
    """Return GPT-Neo's attention, local in every second layer (Black et al. 2021)."""
    kinds = [("global", "local")[number % 2] for number in range(shape.num_layers)]
    return {"attention_types": [[kinds, 1]]}


BLOCKS: dict[str, Block] = {  # by transformers' model_type
    "gpt2": Block(
        "GPT2Config",
        "GPT2LMHeadModel",
        sizes={
            "num_layers": "n_layer",
            "hidden": "n_embd",
            "num_heads": "n_head",
            "intermediate": "n_inner",
            "context": "n_positions",
        },
        more=lambda shape: {"n_ctx": shape.context},  # converters to GGUF read it
        layers="h",
        embedding="wte.weight",
        dropout=("resid_pdrop", "embd_pdrop", "attn_pdrop"),
        gguf={
            "activation_function": "gelu_new",
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
        },
    ),
    "gpt_neo": Block(
        "GPTNeoConfig",
        "GPTNeoForCausalLM",
        sizes={
            "num_layers": "num_layers",
            "hidden": "hidden_size",
            "num_heads": "num_heads",
            "intermediate": "intermediate_size",
            "context": "max_position_embeddings",
        },
        more=alternating_attention,
        layers="h",
        embedding="wte.weight",
        residual=("out_proj.weight", "c_proj.weight"),
        dropout=("resid_dropout", "embed_dropout", "attention_dropout"),
    ),
    "llama": RotaryBlock("LlamaConfig", "LlamaForCausalLM", gguf_rotates_pairs=True),
    "qwen3": RotaryBlock("Qwen3Config", "Qwen3ForCausalLM"),
    "olmo2": RotaryBlock("Olmo2Config", "Olmo2ForCausalLM", gguf_needs_head=True),
}
GROUPED = tuple(name for name, block in BLOCKS.items() if block.is_grouped)
EMBEDDINGS = tuple(sorted({block.embedding for block in BLOCKS.values()}))
LAYERS = tuple(sorted({block.layers for block in BLOCKS.values()}))
