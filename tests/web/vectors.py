"""What Python computes and the page's JavaScript must compute too, as a file that both are held to.

    python -m tests.web.vectors     writes tests/web/vectors.json

`test_vectors.py` compares the file with Python, and `core.test.js`, `odds.test.js`,
`token_healing.test.js`, `words.test.js` and `trace.test.js` compare it with JavaScript. So neither
test starts the other language.
"""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from playground.core.library import QUESTION, Head, uniform
from playground.engine.characters import begun, continues
from playground.engine.token_healing import BLANKS, WORD
from playground.engine.words import Spellings, WordsToUse
from playground.folder.detokenizer import IncrementalDecoder
from playground.sampling import Settings
from playground.trace.copied import utf16_length, word_spans
from playground.trace.run_filter import RunFilter, run_hashes
from trainer.corpus.store.run_filter import packed

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
# Texts of which some end where no token would.
SEAMS = (
    "", "Once upon a ti", "Once upon a", "Once ", "Once  ", "Once\t", "Once\u00a0",
    "Once \t\u00a0 ", "Once.", "Once\n", "Once\n ", "On", "don't", " ", "a  ti", "Zoë", "12",
    "room 1", "喜欢", "x" * 40, "snake_ca", "Once" + " " * 40, "“Yes", "कि", "½",
    "🦊", "end.\n\nNe", "the-en",
)  # fmt: skip
# Stories that a filter is made of, and stories that are looked up in it.
TRAINED = (
    "Once upon a time, there was a little girl named Lily. She didn't like Zoë’s CAT at all.",
    "Tom and his dog went to the park to play 12 games with 3½ balls. 喜欢 the end came soon.",
)
TRACED = (
    *TRAINED,
    "🦊 Foxes say: once UPON a time there, was a - little girl named lily! She did not like it.",
    "The zebra said: “Tom and his dog went to the park to play 12 games with his dog in the park”",
    "Nothing of this stands anywhere in what the small model has read until today.",
    "",
)


# Words to use, and texts of which each letter is a token.
WORDS = ("fox", "Zoë", "big hen", "狐狸", "7")
TEXTS = (
    "The fox met foxes.", "a firefox, a FOX", "“Zoë” and ZOË", "a big hen (big) hens",
    "那只狐狸跑了", "room 7, room 77", 'she said, "fo', "x\n\nfo", "İ fox ẞ",
)  # fmt: skip


def values(settings: Settings) -> dict[str, Any]:
    """Settings as the page has them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(settings).items()
    }


def uniforms() -> list[list[float]]:
    """[seed, position, number] of some draws, the ends of both ranges among them."""
    pairs = [
        (seed, k) for seed in (0, 1, 7, 12345, 2**31, 2**32 - 1) for k in (0, 1, 2, 999, 9_999)
    ]
    return [[seed, k, uniform(seed, k)] for seed, k in pairs]


def odds() -> dict[str, Any]:
    """The likeliest 200 tokens of a made-up distribution, and [id, probability] of each draw that
    the core makes from all of it; None for a token beyond the 200."""
    numbers = np.random.default_rng(5)
    likeliest = np.sort((numbers.normal(size=200) * 2 + 6).astype(np.float32))[::-1]
    rest = [(-2.0, 50), (-3.0, 400)]
    logits = np.concatenate([likeliest, *(np.full(count, x, np.float32) for x, count in rest)])
    head, cases = Head(len(logits)), []
    for choice in CHOICES:
        settings = Settings(**choice)
        answers = [head.answer(logits, question(settings, uniform(1, k))) for k in range(DRAWS)]
        drawn = [
            [int(one["id"]), float(one["chosen"])] if one["id"] < len(likeliest) else None
            for one in answers
        ]
        cases.append({"settings": values(settings), "drawn": drawn})
    candidates = [[k, f" {k}", float(logit)] for k, logit in enumerate(likeliest)]
    log_total = float(answers[0]["log_total"])
    return {"candidates": candidates, "rest": rest, "log_total": log_total, "cases": cases}


def question(settings: Settings, draw: float) -> np.ndarray:
    """The core's question for one draw by these settings."""
    found = np.zeros(1, QUESTION)
    for name in ("temperature", "top_k", "top_p", "min_p"):
        found[name] = getattr(settings, name)
    found["repetition_penalty"], found["known"], found["draw"] = 1, -1, draw
    return found


def seams() -> list[list[str]]:
    """[text, what stays of it, what the model's first tokens spell]."""
    found = []
    for text in SEAMS:
        match = BLANKS.search(text) or WORD.search(text)
        start = match.start() if match else len(text)
        found.append([text, text[:start], text[start:]])
    return found


def characters() -> dict[str, Any]:
    """Bytes in hexadecimal: [text, the part of a character at its end], and [part, token, whether
    it continues it]."""
    ends = [b"\x00", b"\x7f", b"\x80", b"\x9f", b"\xa0", b"\xbf", b"\xc1", b"\xc2", b"\xdf"]
    ends += [b"\xe0", b"\xe2", b"\xed", b"\xef", b"\xf0", b"\xf3", b"\xf4", b"\xf5"]
    firsts = [b"", b"a", *ends, *(b"\xf0" + one for one in ends)]
    texts = [first + last for first in firsts for last in ends]
    parts = sorted({begun(text) for text in texts} - {b""})
    tokens = [b"", b"a", b"\xe2", *ends[2:6], b"\x9cHe", b"\x9c\xe2\x80", b"\x9c\x9c", b"\x80\x9c"]
    return {
        "begun": [[text.hex(), begun(text).hex()] for text in texts],
        "continues": [
            [part.hex(), one.hex(), continues(part, one)] for part in parts for one in tokens
        ],
    }


def run_filters() -> dict[str, Any]:
    """A filter's file in base64, and what is found in it: [text, [start, end, words] of each run,
    copied words], in UTF-16 code units."""
    kept = [run_hashes(words_of(text), 8)[::2] for text in TRAINED]
    about = {
        "format": 1, "corpus": "a few", "words": 8, "stride": 2, "held_out": 0.25,
        "hashes": sum(map(len, kept)), "false_positives": 0.0,
    }  # fmt: skip
    content = packed(about, np.unique(np.concatenate(kept)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "f")
        file.write_bytes(content)
        opened = RunFilter(file)
    found = [opened.trace(text, 0) for text in TRACED]
    return {
        "content": base64.b64encode(content).decode(),
        "hashes": [[words_of(text), run_hashes(words_of(text), 8).tolist()] for text in TRAINED],
        "traces": [
            [
                trace.text,
                [
                    [*(utf16_length(trace.text[:at]) for at in (run.start, run.end)), run.words]
                    for run in trace.runs
                ],
                trace.copied,
                trace.words,
            ]
            for trace in found
        ],
    }


def words_of(text: str) -> list[str]:
    """The words of a text as a filter counts them."""
    return [text[start:end].lower() for start, end in word_spans(text)]


class Letters(IncrementalDecoder):
    """Tokens that are the letters of a text."""

    def __init__(self) -> None:
        pass

    def add(self, token_id: int) -> str:
        return chr(token_id)


def letter_by_letter(word: str) -> Spellings:
    """How such tokens spell a word."""
    bare = tuple(map(ord, word))
    return Spellings([(32, *bare)], [bare])


def words() -> dict[str, Any]:
    """Of each text, after each letter: the words that are missing, and what begins and continues
    one."""
    found = []
    for text in TEXTS:
        waiting, ids = WordsToUse(WORDS, letter_by_letter, Letters()), [*map(ord, text)]
        steps = []
        for end in range(len(ids) + 1):
            waiting.follow(ids[:end])
            steps.append([waiting.missing, waiting.begins(), waiting.continues()])
        found.append([text, steps])
    return {"words": WORDS, "texts": found}


PARTS = {
    "uniform": uniforms,
    "odds": odds,
    "seams": seams,
    "characters": characters,
    "run_filters": run_filters,
    "words": words,
}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(make())}" for name, make in PARTS.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
