"""The readers against pandas and `datasets`, on 200 files written by rule.

The files differ in kind, delimiter, quoting, encoding, line ends, compression and nulls. pandas is
told how each was written; the readers have to see it. The names of splits are compared with what
`datasets` makes of the same folders.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas
import pytest
import zstandard

from trainer.corpus.read.files import find_files
from trainer.settings.corpus import Corpus

from .conftest import read_file, story

GROUPS, FILES = 20, 10  # 200 files
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
SPICE = [
    "",
    '"Stop!" she said; he stopped.',
    "One, two; three | four.",
    "Käse, naïve, 物語。",
    'A "quoted" word, and ""two"" marks.',
    "It's 'single'.",
    "NA",
]


def rows_of(rng: random.Random, one_line: bool) -> pandas.DataFrame:
    """A table of stories, some of them null."""
    texts: list[str | None] = []
    for _ in range(rng.randrange(6, 16)):
        text = f"{rng.choice(SPICE)}\n{story(rng.randrange(5000))}".strip()
        text = f"{text}\n\n{rng.choice(SPICE)}".strip() if rng.random() < 0.3 else text
        texts.append(text.replace("\n", " ") if one_line else text)
    if rng.random() < 0.4:
        texts[rng.randrange(len(texts))] = None
    numbers = [rng.randrange(100) for _ in texts]
    return pandas.DataFrame({"nr": numbers, "text": texts, "level": ["A2"] * len(texts)})


def write_table(rng: random.Random, folder: Path) -> tuple[Path, pandas.DataFrame]:
    """A table of separated values, and what pandas reads in it."""
    kind, delimiter = rng.choice([("csv", ","), ("csv", ";"), ("csv", "\t"), ("tsv", "\t")])
    plain = kind == "tsv" and rng.random() < 0.5
    table = rows_of(rng, one_line=plain)
    quoting = csv.QUOTE_NONE if plain else rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    encoding = rng.choice(["utf-8", "utf-8-sig", "utf-16"])
    end = rng.choice(["\n", "\r\n", "\r"])
    keys = {"sep": delimiter, "quoting": quoting}
    text = table.to_csv(None, index=False, lineterminator="\n", **keys).replace("\n", end)
    packing = rng.choice(list(PACK))
    file = folder / f"stories.{kind}{packing}"
    file.write_bytes(PACK[packing](text.encode(encoding)))
    return file, pandas.read_csv(file, encoding=encoding, keep_default_na=False, **keys)


def write_json(rng: random.Random, folder: Path) -> tuple[Path, pandas.DataFrame]:
    """Objects of JSON, a line each or in an array, and what pandas reads in them."""
    table = rows_of(rng, one_line=False)
    by_lines = rng.random() < 0.6
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    keys: dict[str, Any] = {"ensure_ascii": rng.random() < 0.5}
    if by_lines:
        text = "".join(json.dumps(row, **keys) + "\n" for row in rows)
    else:
        text = json.dumps(rows, indent=rng.choice([None, 1, 4]), **keys)
    text = text.replace("\n", rng.choice(["\n", "\r\n"]))
    encoding, packing = rng.choice(["utf-8", "utf-8-sig", "utf-16"]), rng.choice(list(PACK))
    names = ["jsonl", "ndjson", "json"] if by_lines else ["json", "jsonl"]
    file = folder / f"stories.{rng.choice(names)}{packing}"
    file.write_bytes(PACK[packing](text.encode(encoding)))
    keys = {"lines": by_lines, "encoding": encoding, "dtype": False}
    return file, pandas.read_json(file, orient="records", **keys)


def write_columns(rng: random.Random, folder: Path) -> tuple[Path, pandas.DataFrame]:
    """A parquet or Arrow file, and what pandas reads in it."""
    table, file = rows_of(rng, one_line=False), folder / "stories.parquet"
    if rng.random() < 0.5:
        table["text"] = table["text"].astype(rng.choice(["object", "string", "category"]))
    table.to_parquet(file, compression=rng.choice(["snappy", "zstd", None]), row_group_size=5)
    return file, pandas.read_parquet(file)


def write_zip(rng: random.Random, folder: Path) -> tuple[Path, pandas.DataFrame]:
    """Any of these in a .zip, and what pandas reads in it unpacked."""
    file, known = rng.choice([write_table, write_json])(rng, folder)
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, f"inside/{file.name}")
    return folder / "all.zip", known


def plain(texts: list[str]) -> list[str]:
    return [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts if text]


@pytest.mark.parametrize("group", range(GROUPS))
def test_readers_see_what_pandas_reads(group: int, tmp_path: Path) -> None:
    for number in range(FILES):
        rng = random.Random(100 * group + number)
        folder = tmp_path / str(number)
        folder.mkdir()
        writers = [write_table] * 4 + [write_json] * 3 + [write_columns, write_zip]
        file, known = rng.choice(writers)(rng, folder)
        wanted = plain([text for text in known["text"].tolist() if isinstance(text, str)])
        assert len(wanted) >= 5
        assert plain(list(read_file(file, Corpus()))) == wanted, f"{file}, seed {group}, {number}"


NAMES = [
    ["train.jsonl", "valid.jsonl", "test.jsonl"],
    ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl", "data/test.jsonl"],
    ["training/a.jsonl", "training/b.jsonl", "dev/a.jsonl", "testing/a.jsonl"],
    ["tales_train.jsonl", "tales-val.jsonl", "tales.eval.jsonl"],
    ["train/1.jsonl", "validation/1.jsonl"],
    ["a.jsonl", "b.jsonl"],
    ["part-00000-of-00002.jsonl", "part-00001-of-00002.jsonl"],
    ["validated.jsonl", "trains.jsonl", "latest.jsonl"],
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: names[0])
def test_names_of_splits_mean_what_they_mean_to_datasets(names: list[str], tmp_path: Path) -> None:
    for name in names:
        file = tmp_path / "all" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"text": name}) + "\n")
    found = find_files(str(tmp_path / "all"))
    mine = {
        split: [text for file in files for text in read_file(file.path)]
        for split, files in (("train", found.train), ("validation", found.validation))
    }
    known = datasets.load_dataset(str(tmp_path / "all"), streaming=True)
    for split, texts in mine.items():
        wanted = [row["text"] for row in known[split]] if split in known else []
        assert sorted(texts) == sorted(wanted), split
