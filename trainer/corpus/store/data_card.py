"""The data card of a store, its content and its cleaning, as Markdown and a picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from trainer.corpus.store.cleaning import RULES
from trainer.corpus.store.token_store import READ_AT_ONCE, SPLITS, TokenStore
from trainer.output.picture import new_figure

MEANINGS = {rule.name: rule.meaning for rule in RULES}
SHORT = 128  # tokens
BIN = 64  # tokens
LAST_BIN = 1024  # tokens; it counts longer stories too
READ = 50_000  # stories whose words are counted
WORD = re.compile(r"[A-Za-z][A-Za-z']*")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")  # a capital inside a sentence
TOP = 30


def card(store: TokenStore, picture: str = "") -> str:
    """Return the data card as Markdown; `picture` is the address of its histogram, "" for
    none."""
    info = store.info
    lengths = story_lengths(store, "train")
    words, names = frequent(store.stories("train", READ))
    shown = min(READ, store.num_stories("train"))
    histogram = [f"![Lengths of the training stories in tokens]({picture})", ""] if picture else []
    duplicates = info["dropped"].get("duplicate", 0)
    near = info["dropped"].get("near_duplicate", 0)
    rules = info["recipe"]["rules"]
    duplicates_found = f"word for word {duplicates:,}" if rules["duplicates"] else "not looked for"
    if rules["near_duplicates"]:
        duplicates_found += f", nearly (similarity {rules['near_duplicates']} and more) {near:,}"
    lines = [
        f"# The corpus: {info['name']}",
        "",
        f"Fingerprint `{store.fingerprint}`. Read: {info['read']['stories']:,} stories,"
        f" {info['read']['bytes']:,} bytes. Tokenizer: {store.tokenizer.name}.",
        "",
        *table(
            ("", "stories", "tokens", "bytes", "bytes per token", "distinct tokens"),
            [split_row(store, name) for name in SPLITS],
        ),
        "",
        "## What the rules did",
        "",
        *table(
            ("changed by", "", "stories", "part"),
            [rule_row(store, rule, count) for rule, count in info["changed"].items()],
        ),
        "",
        *table(
            ("dropped by", "", "stories", "part"),
            [rule_row(store, rule, count) for rule, count in info["dropped"].items()],
        ),
        "",
        f"Duplicates: {duplicates_found}. Rules: "
        + ", ".join(f"`{key} {str(value).lower()}`" for key, value in rules.items())
        + ".",
        "",
        "### Examples of what was dropped",
        "",
        *(line for rule, texts in info["examples"].items() for line in examples(rule, texts)),
        "## Lengths of the training stories",
        "",
        *histogram,
        f"{np.mean(lengths < SHORT):.1%} of the stories are shorter than {SHORT} tokens"
        f" (the end-of-text token not counted). Half have {np.median(lengths):,.0f} or fewer, nine"
        f" in ten {np.quantile(lengths, 0.9):,.0f} or fewer; the longest has {lengths.max():,}.",
        "",
        *table(("tokens", "stories", ""), length_rows(lengths)),
        "",
        f"## Words (of the first {shown:,} training stories)",
        "",
        "Most frequent: " + listed(words) + ".",
        "",
        "Names: " + (listed(names) or "none, the stories are in lower case") + ".",
        "",
    ]
    return "\n".join(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table with numbers to the right."""
    body = [list(row) for row in rows] or [["none", *[""] * (len(head) - 1)]]
    marks = ["---:" if body[0][column][:1].isdigit() else "---" for column in range(len(head))]
    return ["| " + " | ".join(row) + " |" for row in (head, marks, *body)]


def split_row(store: TokenStore, name: str) -> tuple[str, ...]:
    """Return the row with the sizes of a split."""
    tokens, size = store.num_tokens(name), store.num_bytes(name)
    return (
        name,
        f"{store.num_stories(name):,}",
        f"{tokens:,}",
        f"{size:,}",
        f"{size / max(1, tokens):.2f}",
        f"{np.count_nonzero(store.id_counts(name)):,}",
    )


def rule_row(store: TokenStore, rule: str, count: int) -> tuple[str, ...]:
    """Return the row that counts the uses of a rule."""
    fraction = count / max(1, store.info["read"]["stories"])
    return f"`{rule}`", MEANINGS.get(rule, ""), f"{count:,}", f"{fraction:.2%}"


def examples(rule: str, stories: Sequence[str]) -> list[str]:
    """Return some stories that a rule dropped, a line each."""
    shown = [story.replace("\r", "").replace("\n", " / ").replace("`", "'") for story in stories]
    return [f"`{rule}`:", "", "```text", *(f"- {story}" for story in shown), "```", ""]


def length_rows(lengths: np.ndarray) -> list[tuple[str, ...]]:
    """Return the histogram as a table, with bars."""
    counts = np.bincount(np.minimum(lengths, LAST_BIN) // BIN)
    return [
        (
            f"{number * BIN:,}"
            + (f" to {number * BIN + BIN - 1:,}" if number < 16 else " and more"),
            f"{count:,}",
            "█" * round(40 * count / counts.max()),
        )
        for number, count in enumerate(counts.tolist())
    ]


def story_lengths(store: TokenStore, name: str) -> np.ndarray:
    """Return the number of tokens of each story of a split, without its end: (stories,) int64."""
    ids, last = store.split(name), store.tokenizer.end_of_text
    ends = [
        first + np.flatnonzero(ids[first : first + READ_AT_ONCE] == last)
        for first in range(0, len(ids), READ_AT_ONCE)
    ]
    return np.diff(np.concatenate(ends), prepend=-1) - 1


def frequent(stories: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Return the counts of words in lower case, and of names: words that inside sentences have a
    capital more often than not."""
    words: Counter[str] = Counter()
    written: Counter[str] = Counter()
    capitals: Counter[str] = Counter()
    for story in stories:
        written.update(WORD.findall(story))
        capitals.update(NAME.findall(story))
    for word, count in written.items():
        words[word.lower()] += count
    names = {
        name: written[name] for name, inside in capitals.items() if inside > written[name.lower()]
    }
    return words, Counter(names)


def listed(counts: Counter[str]) -> str:
    """Return the most frequent words, with their counts."""
    return ", ".join(f"{word} ({count:,})" for word, count in counts.most_common(TOP))


def draw(store: TokenStore, file: Path) -> None:
    """Draw the lengths of the stories of each split (PNG)."""
    figure, axes = new_figure(8, 3.6)
    bins = np.arange(0, LAST_BIN + BIN // 2, BIN // 2)
    for name, colour in zip(SPLITS, ("#3465a4", "#f57900"), strict=True):
        lengths = story_lengths(store, name) if store.num_tokens(name) else np.empty(0)
        axes.hist(
            np.minimum(lengths, LAST_BIN),
            bins=list(bins),
            weights=np.full(len(lengths), 100 / max(1, len(lengths))),
            histtype="stepfilled" if name == "train" else "step",
            color=colour,
            alpha=0.75 if name == "train" else 1,
            label=f"{name}, {len(lengths):,} stories",
        )
    axes.axvline(SHORT, color="black", linewidth=1, linestyle=":")
    axes.text(SHORT - 8, axes.get_ylim()[1] / 2, f"{SHORT} tokens", ha="right", rotation=90)
    axes.set(xlabel="tokens of a story", ylabel="% of the stories", xlim=(0, LAST_BIN))
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120, metadata={"Software": None})
