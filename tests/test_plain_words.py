"""Documents, help and the page are written in plain words: sentences are short, lines and table
cells too, and a retired word fails with the standard term that replaces it.

RETIRED is the list of words, PLACES where they are looked for: a row each.
"""

from __future__ import annotations

import ast
import json
import re
import statistics
import tokenize
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO

import pytest

import app
import playground.browser.__main__
import playground.generate
import playground.inside.__main__
import playground.publish.__main__
import playground.runs.__main__
import playground.trace.__main__
import trainer.corpus.__main__
import trainer.evaluate.__main__
import trainer.export.__main__
import trainer.metrics.__main__
from tests.paths import ROOT
from trainer.settings.command_line import help_text

RETIRED = {  # a regular expression: the standard term
    r"in company|among others\b": "batched",
    r"by heart": "memorised",
    r"\bparted\b|what parts\b": "separated by",
    r"\bgone on\b|\bgo(es)? on (from|again|bit)": "resume, continue",
    r"kept apart|keep more apart": "held out",
    r"\b(is|are) (?-i:none)\b|that is (?-i:none)": "negate the verb: 'is not a ...'",
    r"\bno numbers?\b": "NaN or infinity, 'is not a number'",
    r"\bsight\b": "context window, 'the model can see'",
    r"told again|tells? (again|the same)": "written again, reproduced",
    r"a full (memory|card)": "out of memory",
    r"\bin (a|one) sentence\b|with a sentence": "with a message, 'raises an error'",
    r"graphics card|on a card\b|two cards": "GPU",
    r"a word's card|its card shows": "popover",
    r"founding card|card that the project": "the original model card",
    r"letters of a link|\d letters\b": "characters",
    r"how it tells": "Settings",
    r"be quiet": "Stop reading",
    r"show me eight": "Eight versions",
    r"go on with this": "Continue this one",
    r"banned words, parted": "words to avoid, separated by commas",
    r"the story turns|\bturns? the story": "branch",
    r"attention within a story|story attention": "intra-document attention masking",
    r"joined anew|cut elsewhere": "random block offset per epoch",
    r"\bfed\b": "processed, prefilled",
    r"\blone\b(?! surrogate)": "single",
    r"(nats|MFLOP|FLOPs|bytes|ms) an? (token|update|parameter|step)\b|bits a byte": "per",
    r"\b(one|object|text|row|launcher|process) a (line|subject|setting|machine|core)\b": "per",
    r"does not hear of the others": "without contact to the others",
    r"how the weights move": "optimizer and learning-rate schedule",
    r"nobody picked|\bunpicked\b": "not picked",
    r"(?<!there )\b(is|are|was|were) no (?!longer|more|other)[a-z]+": "'is not a ...'",
    r"training (it )?never met|tokens it never met": "not in the training data",
    r"\bshall contain\b": "should contain",
    r"from the nearest on": "the nearest first",
    r"go on its way with": "be published with",
    r"\bpassed over\b": "skipped",
    r"a way out|the way out": "the remedy",
    r"what it came to": "the result",
    r"\bawkward strings": "difficult strings",
    r"take[ns]? apart": "parse",
    r"of its own accord|all by itself": "automatically",
    r"\bdice\b(?!`)": "random number",
    r"the house\b": "the code",
    r"\bunderstand the file": "detect the format",
    r"steered from": "set by",
}
COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "app.py": app.command_line,
    "playground.browser": playground.browser.__main__.main,
    "playground.generate": playground.generate.main,
    "playground.inside": playground.inside.__main__.main,
    "playground.publish": playground.publish.__main__.main,
    "playground.runs": playground.runs.__main__.main,
    "playground.trace": playground.trace.__main__.main,
    "trainer.corpus": trainer.corpus.__main__.main,
    "trainer.evaluate": trainer.evaluate.__main__.main,
    "trainer.export": trainer.export.__main__.main,
    "trainer.metrics": trainer.metrics.__main__.main,
}
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
OF_THE_PAST = ("LOG.md", "CHANGELOG.md")  # their entries stay as they were written
OLD_KEYS = ("dice",)  # of stories that older versions saved
MADE = ("corpus.md",)  # by trainer.corpus, of stories
WORDS = re.compile(r"\S*\w\S*")


def documents() -> dict[str, str]:
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in DOCUMENTS
        if file.name not in OF_THE_PAST
    }


def help_texts() -> dict[str, str]:
    texts = {"trainer/train.py": help_text()}
    for name, main in COMMANDS.items():
        printed = StringIO()
        with redirect_stdout(printed), suppress(SystemExit):
            main(["--help"])
        texts[name] = " ".join(printed.getvalue().split())
    return texts


def page_texts() -> dict[str, str]:
    """The page's English texts, a line each, and its HTML."""
    places = (
        "playground/web/text.json",
        "playground/web/sources/local/text.json",
        "playground/web/studio/text.json",
    )
    texts = {}
    for place in places:
        words = json.loads((ROOT / place).read_text(encoding="utf-8"))["en"]
        texts[place] = "\n".join(f"{key}: {text}" for key, text in words.items())
    for file in sorted((ROOT / "playground").rglob("*.html")):
        texts[file.relative_to(ROOT).as_posix()] = file.read_text(encoding="utf-8")
    return texts


def code_texts() -> dict[str, str]:
    """The docstrings, messages and comments of each Python module."""
    texts = {}
    for folder in ("trainer", "playground", "benchmarks", "tests/trainer"):
        for file in [ROOT / "app.py", *sorted((ROOT / folder).rglob("*.py"))]:
            source = file.read_text(encoding="utf-8")
            nodes = ast.walk(ast.parse(source))
            strings = (node.value for node in nodes if isinstance(node, ast.Constant))
            found = [text for text in strings if isinstance(text, str) and text not in OLD_KEYS]
            tokens = tokenize.generate_tokens(StringIO(source).readline)
            found += [token.string for token in tokens if token.type == tokenize.COMMENT]
            texts[file.relative_to(ROOT).as_posix()] = "\n".join(found)
    return texts


def script_texts() -> dict[str, str]:
    """The page's scripts and the core, whole."""
    folders = {"playground/web": "*.js", "playground/core": "*.[ch]"}
    files = (file for folder, kind in folders.items() for file in (ROOT / folder).rglob(kind))
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(files)
        if "vendor" not in file.parts  # written by others
    }


PLACES = {
    "documents": documents,
    "help": help_texts,
    "page": page_texts,
    "code": code_texts,
    "scripts": script_texts,
}


@pytest.mark.parametrize("place", PLACES)
def test_no_retired_word_is_used(place: str) -> None:
    hits = [
        f"{name}: {found.group()!r}, write {term!r}"
        for name, text in PLACES[place]().items()
        for pattern, term in RETIRED.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert hits == []


def test_the_list_of_retired_words_is_long_and_each_row_finds_its_word() -> None:
    assert len(RETIRED) >= 30
    old = "It was learned by heart in company; an answer that is none, parted by commas."
    found = {term for pattern, term in RETIRED.items() if re.search(pattern, old)}
    assert {"batched", "memorised", "separated by"} < found


def prose(text: str) -> list[str]:
    """The sentences of a Markdown text; tables, code, headings and quotes are left out."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(\||#|>)", line)]
    paragraphs = re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", "\n" + "\n".join(lines))
    sentences = (part for text in paragraphs for part in re.split(r"[.!?][\"')*]*\s", text + " "))
    return [part for part in sentences if WORDS.search(part)]


@pytest.mark.parametrize("name", documents())
def test_half_of_the_sentences_have_under_20_words(name: str) -> None:
    lengths = [len(WORDS.findall(sentence)) for sentence in prose(documents()[name])]
    assert statistics.median(lengths) < 20


def test_readme_has_900_to_1100_words() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(WORDS.findall(text)) >= 900 and len(text.split()) <= 1100


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_lines_and_cells_are_short(file: pytest.File) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []
    if file.name not in OF_THE_PAST + MADE:
        cells = [cell for line in lines if line.startswith("|") for cell in cells_of(line)]
        assert [cell for cell in cells if len(WORDS.findall(cell)) > 15] == []


def cells_of(line: str) -> list[str]:
    """The cells of a row of a table."""
    return re.split(r"(?<!\\)\|", line.strip().strip("|"))
