"""What Python computes and the page's JavaScript must compute too, as a file that both are held to.

    python -m tests.web.vectors     writes tests/web/vectors.json

`test_vectors.py` compares the file with Python, and `odds.test.js`, `sampler.test.js` and
`qr.test.js` compare it with JavaScript. So neither test starts the other language.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import segno

from playground.engine.seam import BLANKS, WORD
from playground.sampling import Settings, choose, choose_among_all, penalise, uniform

FILE = Path(__file__).with_name("vectors.json")
DRAWS = 400
# All that decides which of the likeliest tokens is chosen, and what the bars show of it.
CHOICES: list[dict[str, Any]] = [
    {"temperature": 0.8, "top_k": 40},
    {"temperature": 1.3, "top_k": 0},
    {"temperature": 0, "top_k": 0},
    {"temperature": 1, "top_k": 0, "top_p": 0.7},
    {"temperature": 0.5, "top_k": 20, "min_p": 0.1},
    {"temperature": 2, "top_k": 200, "top_p": 0.9, "min_p": 0.01},
]
SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
# Texts of which some end where no token would.
SEAMS = (
    "", "Once upon a ti", "Once upon a", "Once ", "Once  ", "Once\t", "Once\u00a0",
    "Once \t\u00a0 ", "Once.", "Once\n", "Once\n ", "On", "don't", " ", "a  ti", "Zoë", "12",
    "room 1", "喜欢", "x" * 40, "snake_ca", "Once" + " " * 40, "“Yes", "कि", "½",
    "🦊", "end.\n\nNe", "the-en",
)  # fmt: skip
QR_BEFORE = "https://example.org/?story="
# Up to the largest code, which holds 2,953 bytes.
QR_LENGTHS = (0, *range(1, 120, 7), *range(150, 2900, 100), 2953 - len(QR_BEFORE))


def values(settings: Settings) -> dict[str, Any]:
    """Settings as the page has them."""
    return asdict(settings) | {"banned_words": list(settings.banned_words)}


def uniforms() -> list[list[float]]:
    """[seed, position, number] of some draws, the ends of both ranges among them."""
    pairs = [
        (seed, k) for seed in (0, 1, 7, 12345, 2**31, 2**32 - 1) for k in (0, 1, 2, 999, 9_999)
    ]
    return [[seed, k, uniform(seed, k)] for seed, k in pairs]


def odds() -> dict[str, Any]:
    """The likeliest 200 tokens of a made-up distribution, and what each choice draws from them."""
    numbers = np.random.default_rng(5)
    logits = np.sort(numbers.normal(size=200) * 2)[::-1] + 6
    rest = [(-3.0, 400), (-2.0, 50)]
    log_total = float(np.logaddexp.reduce([*logits, *(x + math.log(n) for x, n in rest)]))
    cases = []
    for choice in CHOICES:
        settings = Settings(**choice)
        temperature = settings.temperature or 1.0
        log_rest = float(np.logaddexp.reduce([x / temperature + math.log(n) for x, n in rest]))
        drawn = [choose(logits, log_rest, settings, uniform(1, k)) for k in range(DRAWS)]
        cases.append({"settings": values(settings), "log_rest": log_rest, "drawn": drawn})
    candidates = [[k, f" {k}", float(logit)] for k, logit in enumerate(logits)]
    return {"candidates": candidates, "rest": rest, "log_total": log_total, "cases": cases}


def choices() -> dict[str, Any]:
    """Ids chosen among all of a vocabulary of 600 in which 300 ids share one row of the head."""
    rows = np.random.default_rng(6).normal(size=301).astype(np.float32) * 3
    unique_of = [min(k, 300) for k in range(600)]
    logits = rows.astype(np.float64)[unique_of]
    cases = []
    limits: list[tuple[dict[str, Any], list[int], list[int]]] = [
        ({}, [], []),
        ({"temperature": 1.5, "top_k": 0}, [], []),
        ({"temperature": 1.5, "top_k": 0, "top_p": 0.9}, [], []),
        ({"temperature": 0}, [], []),
        ({"repetition_penalty": 1.5}, [3, 7, 7, 250], []),
        ({"repetition_penalty": 0.7, "top_k": 5}, [1, 2, 599], []),
        ({"top_k": 200}, [], list(range(0, 280))),
        ({"temperature": 2, "top_k": 0, "min_p": 0.3}, [], [int(logits.argmax())]),
    ]
    for choice, seen, banned in limits:
        settings = Settings(**choice)
        allowed = logits.copy()
        if seen:
            penalise(allowed, seen, settings.repetition_penalty)
        allowed[banned] = -np.inf
        drawn = [choose_among_all(allowed, settings, uniform(2, k)) for k in range(60)]
        cases.append({"settings": values(settings), "seen": seen, "banned": banned, "drawn": drawn})
    return {"rows": rows.tolist(), "unique_of": unique_of, "cases": cases}


def qr_codes(lengths: Sequence[int] = QR_LENGTHS) -> list[list[Any]]:
    """[length, SHA-256 of the modules in rows] of the codes that segno makes of links."""
    found = []
    for length in lengths:
        text = "".join(SIGNS[int(64 * uniform(length, k))] for k in range(length))
        matrix = segno.make_qr(QR_BEFORE + text, error="l", boost_error=False).matrix
        rows = "\n".join("".join(map(str, row)) for row in matrix)
        found.append([length, hashlib.sha256(rows.encode()).hexdigest()])
    return found


def seams() -> list[list[str]]:
    """[text, what stays of it, what the model's first tokens spell]."""
    found = []
    for text in SEAMS:
        match = BLANKS.search(text) or WORD.search(text)
        start = match.start() if match else len(text)
        found.append([text, text[:start], text[start:]])
    return found


PARTS = {"uniform": uniforms, "odds": odds, "choices": choices, "qr": qr_codes, "seams": seams}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(make())}" for name, make in PARTS.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
