"""What a model computed before it chose a token, in the terminal.

    python -m playground.inside MODEL --prompt "Once upon a time there was a" --token 4

Prints what each layer would have said, where each layer looked, and which earlier token mattered;
with --json all of it. It is a picture of the computation, not an explanation of the choice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playground.command_line import Parser, typed_text, use_utf8

if TYPE_CHECKING:
    from playground.inside.inside import Inside

SHOWN = 4  # tokens of a line


def parser() -> Parser:
    """The command line."""
    found = Parser(
        prog="python -m playground.inside",
        description="Show attention, what each layer would have said, and which token mattered.",
    )
    add: Any = found.add_argument
    add("model", metavar="MODEL", help="an export, another model's folder, or its name on the Hub")
    add("--base", metavar="MODEL", help="base of a LoRA adapter (default: as the adapter says)")
    add("--prompt", required=True, help="the text to look at")
    add(
        "--token",
        type=int,
        metavar="N",
        help="which token of the prompt, from 0 (default: the last)",
    )
    add("--device", default="auto", help="auto, cpu or cuda (default: a GPU if there is one)")
    add("--json", action=argparse.BooleanOptionalAction, default=False, help="print all as JSON")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 2 with one sentence."""
    use_utf8()
    try:
        options = parser().parse_args(arguments)
        prompt = typed_text(options.prompt)
        # These load the model's libraries, which bad options need not wait for.
        from playground.engine.engine import Engine
        from playground.folder.model_folder import ModelFolder
        from playground.inside.inside import Inside

        storyteller = ModelFolder.open(options.model, device=options.device, base=options.base)
        with Engine(storyteller, max_streams=8) as engine:
            ids = engine.encode(prompt)
            position = len(ids) - 1 if options.token is None else options.token
            found = everything(Inside(engine), ids, position)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    print(json.dumps(found, ensure_ascii=False) if options.json else in_words(found), flush=True)
    return 0


def everything(inside: Inside, ids: list[int], position: int) -> dict[str, Any]:
    """Look and removals as plain values, with the texts of the story's tokens."""
    look = inside.look(ids, position)
    changes = [[index, round(change, 4)] for index, change in inside.removals(ids, position)]
    texts = [inside.engine.storyteller.label(token_id) for token_id in ids]
    return {"tokens": texts, "position": position, **look.to_json(), "removed": changes}


def in_words(found: dict[str, Any]) -> str:
    """Return the result as lines of text."""
    texts, first = found["tokens"], found["first"]
    seen = [json.dumps(text, ensure_ascii=False) for text in texts]
    seen = ["(start)", *seen] if first < 0 else seen[first:]
    lines = [f"Token {found['position']}: {seen[found['position'] - first]}", ""]
    lines.append("What each layer would have said in its place, and the token's own probability")
    for number, said in enumerate(found["layers"]):
        shares = [(repr(text), share) for text, share in said["likeliest"][:SHOWN]]
        if said["unlearned"] > 0.001:
            shares = [("(tokens not in its training data)", said["unlearned"]), *shares]
        likeliest = "  ".join(f"{text} {share:.1%}" for text, share in shares)
        lines.append(f"{number:>5}  {said['probability']:7.2%}   {likeliest}")
    lines += ["", "Where each layer looked (the mean of its heads)"]
    for number, heads in enumerate(found["attention"], 1):
        mean = [sum(weights) / len(heads) for weights in zip(*heads, strict=True)]
        top = sorted(range(len(mean)), key=lambda k: -mean[k])[:SHOWN]
        lines.append(f"{number:>5}  " + "  ".join(f"{seen[k]} {mean[k]:.1%}" for k in top))
    lines += ["", "Change of the token's log-probability (nats) when an earlier token is deleted"]
    for index, change in sorted(found["removed"], key=lambda pair: -abs(pair[1]))[: 2 * SHOWN]:
        lines.append(f"{change:+10.3f}  {seen[index - first]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
