"""Tables of an evaluation's figures, for the terminal, a report and a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.evaluate.likelihood import Evaluation
from trainer.evaluate.prose import Measures, Prose

Row = Sequence[str]


def figures(evaluation: Evaluation, in_training: int | None = None) -> list[tuple[str, str]]:
    """Return names and values of an evaluation; `in_training` counts its stories that are in the
    training data."""
    rows = [
        ("nats per token", spread(evaluation.nats_per_token, evaluation.nats_interval, 4)),
        ("perplexity", spread(evaluation.perplexity, evaluation.perplexity_interval, 3)),
        ("bits per byte", spread(evaluation.bits_per_byte, evaluation.bits_interval, 4)),
        ("stories", f"{evaluation.stories:,}"),
        ("tokens", f"{evaluation.tokens:,}"),
        ("bytes", f"{evaluation.bytes:,}"),
        ("context, stride", f"{evaluation.context}, {evaluation.stride}"),
        ("seconds", f"{evaluation.seconds:.1f}"),
    ]
    if in_training is not None:
        rows.append(
            ("trained on", f"{in_training:,} of {evaluation.stories:,} are in the training data")
        )
    return rows


def spread(value: float, interval: tuple[float, float], digits: int) -> str:
    """Return a value with its interval."""
    low, high = interval
    return f"{value:.{digits}f} (95 %: {low:.{digits}f} to {high:.{digits}f})"


def prose_table(prose: Sequence[Prose]) -> list[Row]:
    """Return the measures of a model's prose: a column per way of sampling, and one for the true
    second halves."""
    written = [way.written for way in prose]
    columns: list[Measures] = [*written, prose[0].true]
    bleu = "sacrebleu is not installed" if prose[0].bleu is None else "{:.2f}"
    rows: list[Row] = [
        (
            f"second halves of {prose[0].stories:,} stories",
            *(way.sampling for way in prose),
            "true",
        ),
        ("BLEU", *(bleu.format(way.bleu) for way in prose), ""),
        ("ended by itself", *(f"{way.ended:.1%}" for way in prose), ""),
        ("mean length in tokens", *(f"{column.tokens:.0f}" for column in columns)),
    ]
    for number, length in enumerate(("word", "two words", "three words")):
        name = "different words" if number == 0 else f"different runs of {length}"
        rows.append((name, *(f"{column.distinct[number]:.1%}" for column in columns)))
    rows.append(("4-word runs repeated", *(f"{column.repeated:.2%}" for column in columns)))
    if prose[0].true.copied is not None:
        rows.append(
            ("words that the training stories have", *(f"{column.known:.2%}" for column in columns))
        )
        rows.append(("8-word runs that they have", *(f"{column.copied:.2%}" for column in columns)))
    if prose[0].compared:
        some = f"{prose[0].compared:,}"
        rows += [
            (f"8-word runs that {some} of them have", *(f"{way.drawn:.2%}" for way in columns)),
            (
                f"8-word runs that {some} unread stories have",
                *(f"{way.unread:.2%}" for way in columns),
            ),
        ]
    return rows


def characters_table(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of `measure_characters` as a table, a column each."""
    names = {
        "pronoun": 'first "He" or "She" fits the person',
        "subject": "first name that acts is the person's",
        "role": "a dog, a brother has one name",
    }
    head = f"after an introduction, {rows[0]['stories']:,} stories"
    return [
        (head, *(row["sampling"] for row in rows)),
        *((text, *(share(*row[name]) for row in rows)) for name, text in names.items()),
    ]


def share(right: int, counted: int) -> str:
    """Return a share in percent with its count; "-" if nothing was counted."""
    return f"{right / counted:.1%} of {counted:,}" if counted else "-"


def plain_table(rows: Sequence[Row]) -> str:
    """Return rows as a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown_table(rows: Sequence[Row]) -> str:
    """Return rows as a table of Markdown; the first is its head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
