"""Write the report on how a model predicts stories: a folder with report.md and pictures."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from trainer.evaluate.likelihood import Evaluation, Likelihood
from trainer.evaluate.prose import Prose
from trainer.evaluate.report import pictures
from trainer.evaluate.report.coloured_story import Token, draw_stories
from trainer.evaluate.report.tables import figures, markdown_table, prose_table
from trainer.metrics.log import plot, read
from trainer.output.console import best_effort
from trainer.storage import run_folder
from trainer.storage.atomic import atomic_directory

REPORT, CURVE = "report.md", "curve.png"
SHOWN = 3  # stories of each kind
LONG_ENOUGH = 32  # tokens: in a shorter story a single name decides


def check_report_folder(folder: Path) -> None:
    """Raise ValueError for a folder that is neither empty nor a report."""
    is_report = (folder / REPORT).is_file()
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_report and not is_empty:
        raise ValueError(
            f"--report {folder} would be overwritten, and it is not a report: name a new folder"
        )


def write_report(
    folder: Path,
    model: str,
    stories: str,
    scores: Likelihood,
    evaluation: Evaluation,
    tokenizer: PreTrainedTokenizerBase,
    prose: list[Prose],
    in_training: int | None,
) -> None:
    """Write the report of `model` on the files `stories`; it replaces an older report."""
    positions = pictures.by_position(scores)
    frequencies = pictures.by_frequency(scores)
    bins, calibration_error = pictures.calibration(scores)
    ranking = ranked(scores)
    with atomic_directory(folder) as partial:
        with best_effort("what the report lacks of its pictures"):
            take_curve(Path(model), partial / CURVE)
            pictures.draw_positions(partial / "position.png", positions)
            pictures.draw_frequencies(partial / "frequency.png", frequencies)
            pictures.draw_calibration(partial / "calibration.png", bins)
        for name, some in (("hardest", ranking[::-1][:SHOWN]), ("easiest", ranking[:SHOWN])):
            draw_stories(
                partial / f"{name}.svg",
                [story(scores, number, tokenizer) for number in some.tolist()],
            )
        text = [
            f"# {model} on {stories}",
            markdown_table([("", ""), *figures(evaluation, in_training)]),
            "How the model was scored: each story from its own start, its end included; "
            "docs/evaluation.md says it in full. Intervals are 95 %, of drawing other stories.",
        ]
        if prose:
            text += ["## How it writes", markdown_table(prose_table(prose))]
        text += [
            "## By position in the story",
            "![nats per token by position](position.png)",
            markdown_table([("tokens", "nats per token", "95 %"), *map(position_row, positions)]),
            "## By frequency of the token",
            "![nats per token by frequency](frequency.png)",
            markdown_table(
                [
                    ("times it occurs", "tokens", "nats per token", "part of the loss"),
                    *map(frequency_row, frequencies),
                ]
            ),
            "## Calibration",
            f"The likeliest token is right {scores.correct.mean():.1%} of the time. On average the "
            f"model's probability for it is off by {calibration_error:.2%} (expected calibration "
            f"error, {pictures.NUM_BINS} bins).",
            "![how often the likeliest token is right](calibration.png)",
            "## The hardest stories",
            f"Of those with {LONG_ENOUGH} tokens or more; the deeper the colour, the more a token "
            "surprised the model.",
            "![the hardest stories](hardest.svg)",
            "## The easiest stories",
            "![the easiest stories](easiest.svg)",
        ]
        if (partial / CURVE).is_file():
            text += ["## The run", f"![loss over the steps]({CURVE})"]
        (partial / REPORT).write_text(joined(text, partial), encoding="utf-8")


def joined(parts: list[str], folder: Path) -> str:
    """Return the text of a report, without the pictures that are not in its folder."""
    pictures = [re.fullmatch(r"!\[.*\]\((.+)\)", part) for part in parts]
    pairs = zip(parts, pictures, strict=True)
    there = [part for part, picture in pairs if not picture or (folder / picture[1]).is_file()]
    return "\n\n".join(there) + "\n"


def position_row(row: tuple[int, int, float, float, float]) -> tuple[str, str, str]:
    """Return a row of the table by position."""
    first, last, nats, low, high = row
    name = f"{first:,}" if first == last else f"{first:,} to {last:,}"
    return name, f"{nats:.3f}", f"{low:.3f} to {high:.3f}"


def frequency_row(row: tuple[int, int, int, float, float]) -> tuple[str, str, str, str]:
    """Return a row of the table by frequency."""
    low, high, count, nats, part = row
    return f"{low:,} to {high:,}", f"{count:,}", f"{nats:.3f}", f"{part:.1%}"


def ranked(scores: Likelihood) -> np.ndarray:
    """Return the numbers of the stories that are long enough, or of all if none is, easiest
    first."""
    tokens = scores.tokens_of_story
    ranking = np.argsort(scores.nats_of_story / tokens, kind="stable")
    long = ranking[tokens[ranking] >= LONG_ENOUGH]
    return long if len(long) else ranking


def story(
    scores: Likelihood, number: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[str, list[Token]]:
    """Return a story's heading and its tokens with their nats."""
    inside = slice(int(scores.starts[number]), int(scores.starts[number + 1]))
    ids, nats = scores.ids[inside].tolist(), scores.nats[inside].tolist()
    mean = scores.nats_of_story[number] / len(ids)
    heading = f"Story {number + 1:,}: {mean:.2f} nats per token"
    return heading, [*texts_of(ids[:-1], nats[:-1], tokenizer), ("[end]", nats[-1])]


def texts_of(ids: list[int], nats: list[float], tokenizer: PreTrainedTokenizerBase) -> list[Token]:
    """Return tokens as texts; tokens that share a character are joined, with the sum of their
    nats."""
    decode: Any = tokenizer.decode
    texts: list[Token] = []
    first, total = 0, 0.0
    for number, surprise in enumerate(nats, start=1):
        total += surprise
        text = decode(ids[first:number], clean_up_tokenization_spaces=False)
        if "\ufffd" not in text or number == len(ids):
            texts.append((text, total))
            first, total = number, 0.0
    return texts


def take_curve(model: Path, picture: Path) -> None:
    """Draw the run's curve from its metrics, or copy the export's, if there is one."""
    if run_folder.is_run(model) and any("loss" in line for line in read(model)):
        plot(model, picture)
    elif (model / CURVE).is_file():
        shutil.copyfile(model / CURVE, picture)
