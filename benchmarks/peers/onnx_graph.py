"""Export the storyteller as an ONNX graph, for the browser's peers (benchmarks/browser.py).

Two layouts: `Own` for onnxruntime-web, with one cache whose first axis is time, so that a step only
appends; and `Hub`, transformers.js' own, with keys and values of each layer. Both multiply with the
distinct rows of the embedding only, as the page does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CONTEXT = 512


class Graph(nn.Module):
    """The forward pass of a Qwen3 export, in fp32."""

    def __init__(self, model: Any, rows: torch.Tensor, row_of: torch.Tensor) -> None:
        """`rows`: (distinct, hidden) of the embedding; `row_of`: the row of each id."""
        super().__init__()
        config = model.config
        self.blocks, self.norm = model.model.layers, model.model.norm
        self.heads, self.width = config.num_attention_heads, config.head_dim
        self.rows = nn.Parameter(rows)
        self.register_buffer("row_of", row_of)
        rates = 10_000.0 ** (-torch.arange(0, self.width, 2) / self.width)
        angles = torch.arange(CONTEXT)[:, None] * torch.cat([rates, rates])
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def attend(self, block: Any, x: torch.Tensor, place: torch.Tensor, past: Any) -> Any:
        """Return attention (n, hidden) of x (n, hidden) at positions `place` (n,), and the new keys
        and values (n, heads, width). `past`: those of the tokens before."""
        count, attention = x.shape[0], block.self_attn
        h = block.input_layernorm(x)
        query, key, value = (
            part(h).view(count, self.heads, self.width)
            for part in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        cosine, sine = self.cosine[place][:, None], self.sine[place][:, None]

        def rotate(y: torch.Tensor) -> torch.Tensor:
            low, high = y.chunk(2, dim=-1)
            return y * cosine + torch.cat([-high, low], -1) * sine

        query, key = rotate(attention.q_norm(query)), rotate(attention.k_norm(key))
        keys, values = torch.cat([past[0], key]), torch.cat([past[1], value])
        scores = torch.einsum("nhw,thw->hnt", query, keys) * self.width**-0.5
        seen = torch.arange(keys.shape[0])[None] <= place[:, None]
        odds = torch.where(seen[None], scores, -1e9).softmax(-1)
        return attention.o_proj(torch.einsum("hnt,thw->nhw", odds, values).flatten(1)), key, value

    def block(self, block: Any, x: torch.Tensor, place: torch.Tensor, past: Any) -> Any:
        gathered, key, value = self.attend(block, x, place, past)
        x = x + gathered
        h, mlp = block.post_attention_layernorm(x), block.mlp
        return x + mlp.down_proj(functional.silu(mlp.gate_proj(h)) * mlp.up_proj(h)), key, value


class Own(Graph):
    """Maps ids (n,) and past (time, layers, 2, heads, width) to the logits of the distinct rows
    after the last id, and the values to append to past."""

    def forward(self, ids: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        place = torch.arange(ids.shape[0]) + past.shape[0]
        x, new = self.rows[self.row_of[ids]], []
        for number, block in enumerate(self.blocks):
            x, key, value = self.block(block, x, place, (past[:, number, 0], past[:, number, 1]))
            new.append(torch.stack([key, value], 1))
        return self.norm(x[-1:]) @ self.rows.T, torch.stack(new, 1)


class Hub(Graph):
    """transformers.js' layout: keys and values (1, heads, time, width) of each layer."""

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        past: list[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        place = position_ids[0]
        x, present = self.rows[self.row_of[input_ids[0]]], []
        for number, block in enumerate(self.blocks):
            before = [part[0].transpose(0, 1) for part in past[2 * number : 2 * number + 2]]
            x, key, value = self.block(block, x, place, before)
            for old, new in zip(before, (key, value), strict=True):
                present.append(torch.cat([old, new]).transpose(0, 1)[None])
        logits = (self.norm(x) @ self.rows.T)[:, self.row_of]
        # The mask is part of the interface; there is no padding here.
        return (logits[None] + 0 * attention_mask[:, :1, None].float(), *present)


def export(graph: Graph, out: Path, layers: int) -> None:
    """Write model.onnx in one file."""
    n, t = torch.export.Dim("n", min=1, max=CONTEXT), torch.export.Dim("t", min=1, max=CONTEXT - 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(graph, Own):
        inputs: tuple[Any, ...] = (
            torch.tensor([5, 6, 7]), torch.zeros(4, layers, 2, graph.heads, graph.width),
        )  # fmt: skip
        shapes: Any = ({0: n}, {0: t})
        names, results = ["ids", "past"], ["logits", "new"]
    else:
        past = [torch.zeros(1, graph.heads, 4, graph.width) for _ in range(2 * layers)]
        inputs = (
            torch.tensor([[5, 6, 7]]), torch.ones(1, 7, dtype=torch.long),
            torch.tensor([[4, 5, 6]]), past,
        )  # fmt: skip
        both = torch.export.Dim("both", min=2, max=2 * CONTEXT)
        shapes = ({1: n}, {1: both}, {1: n}, [{2: t} for _ in past])
        parts = [f"{k}.{part}" for k in range(layers) for part in ("key", "value")]
        names = ["input_ids", "attention_mask", "position_ids"]
        names += [f"past_key_values.{part}" for part in parts]
        results = ["logits", *(f"present.{part}" for part in parts)]
    torch.onnx.export(
        graph.eval(), inputs, str(out), dynamo=True, opset_version=21, external_data=False,
        dynamic_shapes=shapes, input_names=names, output_names=results, verbose=False,
    )  # fmt: skip
