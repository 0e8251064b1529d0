"""Show in the terminal what a model computed before it chose a token.

    python -m playground.inside MODEL --prompt "Once upon a time there was a" --token 4

Prints the prediction of each layer (logit lens), the attention of each layer and the importance of
earlier tokens; with --json all values. They show the computation; they do not explain the choice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playground.command_line import Parser, add_model_options, run_command, typed_text

if TYPE_CHECKING:
    from playground.inside.inside import Inside

SHOWN = 4  # tokens per line


def parser() -> Parser:
    """Return the parser of the command line."""
    command = Parser(
        prog="python -m playground.inside",
        description="Show attention, each layer's prediction, and which earlier tokens mattered.",
    )
    add_model_options(command)
    add: Any = command.add_argument
    add("--prompt", required=True, help="the text to analyse")
    add("--token", type=int, metavar="N", help="token of the prompt, from 0 (default: the last)")
    add("--json", action=argparse.BooleanOptionalAction, default=False, help="print all as JSON")
    return command


def run(options: argparse.Namespace) -> None:
    """Analyse a token and print the result.

    Raises:
        ValueError: the model cannot be used, or there is no such token.
    """
    prompt = typed_text(options.prompt)
    # These imports are slow; mistakes in the options are reported before.
    from playground.engine.engine import Engine
    from playground.folder.model_folder import ModelFolder
    from playground.inside.inside import Inside

    storyteller = ModelFolder.open(options.model, device=options.device, base=options.base)
    with Engine(storyteller, max_streams=8) as engine:
        ids = engine.encode(prompt)
        position = len(ids) - 1 if options.token is None else options.token
        if ids and not 0 <= position < len(ids):
            raise ValueError(f"--token must be from 0 to {len(ids) - 1}, not {position}")
        result = everything(Inside(engine), ids, position)
    print(json.dumps(result, ensure_ascii=False) if options.json else as_text(result), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command(lambda: run(parser().parse_args(arguments)))


def everything(inside: Inside, ids: list[int], position: int) -> dict[str, Any]:
    """Return look and removals as JSON values, with the texts of the story's tokens."""
    look = inside.look(ids, position)
    changes = [[index, round(change, 4)] for index, change in inside.removals(ids, position)]
    texts = [inside.engine.storyteller.label(token_id) for token_id in ids]
    return {"tokens": texts, "position": position, **look.to_json(), "removed": changes}


def as_text(result: dict[str, Any]) -> str:
    """Return the result as lines of text."""
    texts, first, position = result["tokens"], result["first"], result["position"]
    window = [json.dumps(text, ensure_ascii=False) for text in texts]
    window = ["(start)", *window] if first < 0 else window[first:]
    lines = [f"Token {position}: {window[position - first]}", ""]
    lines.append("Probability of the token after each layer, and the layer's most likely tokens")
    for number, layer in enumerate(result["layers"]):
        shares = [(repr(text), share) for text, share in layer["likeliest"][:SHOWN]]
        if layer["unlearned"] > 0.001:
            shares = [("(tokens not in its training data)", layer["unlearned"]), *shares]
        likeliest = "  ".join(f"{text} {share:.1%}" for text, share in shares)
        lines.append(f"{number:>5}  {layer['probability']:7.2%}   {likeliest}")
    lines += ["", "Attention of each layer (mean of its heads)"]
    for number, heads in enumerate(result["attention"], 1):
        mean = [sum(weights) / len(heads) for weights in zip(*heads, strict=True)]
        top = sorted(range(len(mean)), key=lambda k: -mean[k])[:SHOWN]
        lines.append(f"{number:>5}  " + "  ".join(f"{window[k]} {mean[k]:.1%}" for k in top))
    lines += ["", "Change of the token's log-probability (nats) when an earlier token is deleted"]
    for index, change in sorted(result["removed"], key=lambda pair: -abs(pair[1]))[: 2 * SHOWN]:
        lines.append(f"{change:+10.3f}  {window[index - first]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
