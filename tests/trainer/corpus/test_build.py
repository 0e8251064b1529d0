"""Building a store: what goes in, that it is always the same, and that nothing half is left."""

import contextlib
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.paths import ROOT
from tests.processes import Program
from trainer.corpus import build_store
from trainer.corpus.read import chunks
from trainer.corpus.read.sources import SAMPLE
from trainer.corpus.store import build, cleaning
from trainer.corpus.store.closings import FIRST
from trainer.corpus.store.shards import Shard
from trainer.settings.corpus import Corpus

from .conftest import story, write_jsonl

Settings = Callable[..., Corpus]
WORKER = Path(__file__).with_name("build_worker.py")
NUMBERS = itertools.count()  # of the processes, for the names of their logs


def start(source: Path, folder: Path, killed_at: str = "") -> Program:
    """A process that builds a store of many small shards, and may be killed: see the worker."""
    log = source.with_name(f"output-{next(NUMBERS)}.txt")
    return Program([WORKER, source, folder, killed_at], log)


def finish(process: Program) -> Path:
    """The folder of the store that a process built."""
    assert process.wait() == 0, process.output()
    return Path(process.output().splitlines()[-1])


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a store."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def left_in(folder: Path) -> set[str]:
    """What a failed build left, locks aside."""
    return {file.name for file in folder.rglob("*") if file.suffix != ".lock"}


def build_quietly(settings: Corpus) -> dict[str, bytes]:
    return content(build_store(settings).folder)


def test_the_bundled_sample(settings: Settings) -> None:
    store = build_store(settings("sample", min_tokens=12))
    for rule in ("duplicate", "empty", "foreign", "cut_off", "has_special", "too_short"):
        assert store.info["dropped"][rule] >= 1
        assert 1 <= len(store.info["examples"][rule]) <= 3
    for rule in ("mojibake", "markup", "control", "typography"):
        assert store.info["changed"][rule] >= 1
    kept = sum(store.num_stories(name) for name in ("train", "validation"))
    assert kept + sum(store.info["dropped"].values()) == store.info["read"]["stories"]
    assert not any("<" in text or "&" in text for text in store.stories("train"))


def test_the_seed_rules(settings: Settings) -> None:
    store = build_store(settings(SAMPLE, lower_case=True, max_tokens=80, special="strip"))
    for text in store.stories("train"):
        assert text == text.lower()
        assert not set(text) & set("*$#<>{}[]~“”’")
    ids, lengths = store.split("train"), []
    for number in ids.tolist():
        lengths = [*lengths, 0] if not lengths or number == 50_256 else lengths
        lengths[-1] += number != 50_256
    assert 8 <= min(lengths[:-1]) <= max(lengths) < 80
    assert store.info["dropped"]["too_long"] > 0


def test_what_is_in_the_validation_part_is_not_trained_on(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    shouted = [text.upper().replace(",", "") for text in stories[:5]]
    valid = write_jsonl(tmp_path / "valid.jsonl", stories[:20])
    train = write_jsonl(tmp_path / "train.jsonl", [*shouted, *stories[10:40], stories[30]])
    keys = {"validation": str(valid), "english": False}
    store = build_store(settings(train, **keys))
    assert list(store.stories("train")) == stories[20:40]
    assert list(store.stories("validation")) == stories[:20]
    assert store.info["dropped"]["in_validation"] == 5 + 10
    assert store.info["dropped"]["duplicate"] == 1
    store = build_store(settings(train, decontaminate=False, **keys))
    assert store.num_stories("train") == 5 + 30


def test_a_split_by_hash_takes_what_is_alike_the_same_way(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    file = write_jsonl(
        tmp_path / "all.jsonl", stories + [text.replace(",", " -") for text in stories]
    )
    store = build_store(settings(file, validation_share=0.3))

    def letters(name: str) -> set[str]:
        return {"".join(filter(str.isalnum, text)).lower() for text in store.stories(name)}

    assert not letters("train") & letters("validation")
    assert 0.15 < store.num_stories("validation") / 400 < 0.45
    more = write_jsonl(tmp_path / "more.jsonl", [story(n) for n in range(100, 300)])
    other = build_store(settings(more, validation_share=0.3))
    assert not letters("train") & {
        "".join(filter(str.isalnum, text)).lower() for text in other.stories("validation")
    }


def test_near_duplicates_go_when_asked(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    text = " ".join(stories[:4])
    file = write_jsonl(tmp_path / "all.jsonl", [text, text.replace("day 0", "day 9"), stories[9]])
    keys = {"validation_share": 0.0}
    assert build_store(settings(file, **keys)).num_stories("train") == 3
    store = build_store(settings(file, near_duplicates=0.7, **keys))
    assert store.num_stories("train") == 2
    assert store.info["dropped"]["near_duplicate"] == 1


def test_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 20_000)
    file = write_jsonl(tmp_path / "all.jsonl", (story(n % 700) for n in range(1000)))
    found = [
        build_quietly(settings(file, workers=workers, folder=str(tmp_path / str(workers))))
        for workers in (1, 2, 4)
    ]
    assert found[0] == found[1] == found[2]
    assert b'"duplicate": 300' in found[0]["store.json"]


def test_pieces_do_not_change_the_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stories: list[str], settings: Settings
) -> None:
    file = write_jsonl(tmp_path / "all.jsonl", stories)
    found = []
    for size in (333, 5000, 10**6):
        monkeypatch.setattr(chunks, "CHUNK_BYTES", size)
        store = build_store(settings(file, folder=str(tmp_path / str(size))))
        found.append((store.folder / "train" / "tokens.bin").read_bytes())
    assert found[0] == found[1] == found[2]


def test_a_store_that_is_there_is_opened(settings: Settings) -> None:
    first = build_store(settings("sample"))
    before = {file: file.stat().st_mtime_ns for file in first.folder.rglob("*")}
    again = build_store(settings("sample", workers=1))
    assert again.folder == first.folder
    assert {file: file.stat().st_mtime_ns for file in again.folder.rglob("*")} == before


def test_any_change_gives_another_fingerprint(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    file = write_jsonl(tmp_path / "all.jsonl", stories)

    def fingerprint(**keys: object) -> str:
        return build_store(settings(file, **keys)).fingerprint

    found = [fingerprint()]
    assert fingerprint(workers=1) == found[0]
    changes: list[dict[str, object]] = [
        *({key: False} for key in ("mojibake", "markup", "typography", "english", "complete")),
        *({key: False} for key in ("duplicates", "decontaminate")),
        *({"special": way} for way in ("strip", "keep")),
        {"lower_case": True},
        {"min_tokens": 9},
        {"max_tokens": 999},
        {"max_tokens": 999, "long_stories": "cut"},
        {"near_duplicates": 0.9},
        {"validation_share": 0.02},
        {"validation": str(file), "decontaminate": False},
    ]
    found += [fingerprint(**change) for change in changes]
    found.append(fingerprint(tokenizer="train:300"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("summer", "Summer", 1), encoding="utf-8")
    found.append(fingerprint())
    assert len(set(found)) == len(found)
    assert all(len(one) == 64 for one in found)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough stories for about 50 small shards."""
    return write_jsonl(tmp_path / "many.jsonl", (story(number % 1400) for number in range(1500)))


def check_kills(home: Path, many: Path, kills: int) -> None:
    """Kill a build again and again, each time after more of its shards are there, and at last just
    before the store gets its name."""
    folder = finish(start(many, home / "undisturbed"))
    wanted = content(folder)
    assert len(wanted) == 5

    killed = home / "killed"
    store = killed / folder.name
    moments = [str(45 * (kill + 1) // kills) for kill in range(kills)]
    for moment in (*moments, str(folder.name)):
        process = start(many, killed, moment)
        assert process.wait() == -signal.SIGKILL, process.output()
        assert (killed / f"{store.name}.partial").is_dir() and not store.exists()
    finish(start(many, killed))
    assert content(store) == wanted
    assert {name for name in left_in(killed) if "partial" in name or name.endswith("tmp")} == set()


@pytest.mark.process
def test_killed_at_any_moment_it_resumes_to_the_same_store(tmp_path: Path, many: Path) -> None:
    check_kills(tmp_path, many, kills=3)


@pytest.mark.soak
def test_killed_twenty_times_it_resumes_to_the_same_store(tmp_path: Path, many: Path) -> None:
    check_kills(tmp_path, many, kills=20)


@pytest.mark.process
def test_finished_shards_are_not_made_again(tmp_path: Path, many: Path) -> None:
    process = start(many, tmp_path / "data")
    while not (found := list((tmp_path / "data").glob("*.partial/shards/train-000000.npz"))):
        assert process.poll() is None, process.output()
        time.sleep(0.005)
    process.send(signal.SIGSTOP)  # no further shard, and no end, before the kill
    process.kill()
    process.wait(60)
    shard = Shard.load(found[0])
    shard.tally.dropped["foreign"] = 7_777  # a mark that only this file has
    shard.save(found[0])
    folder = finish(start(many, tmp_path / "data"))
    assert b'"foreign": 7777' in content(folder)["store.json"]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "no archive"])
def test_a_damaged_shard_is_made_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stories: list[str],
    settings: Settings,
    damage: str,
) -> None:
    file = write_jsonl(tmp_path / "all.jsonl", stories)
    wanted = build_store(settings(file)).folder
    saved = content(wanted)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(build, "join", interrupt)
        shutil.rmtree(wanted)
        with pytest.raises(KeyboardInterrupt):
            build_store(settings(file))
    (shard,) = (tmp_path / "data").glob("*.partial/shards/*.npz")
    whole = shard.read_bytes()
    middle = len(whole) // 2
    shard.write_bytes(
        {
            "cut": whole[:middle],
            "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
            "no archive": b"no archive",
        }[damage]
    )
    assert build_quietly(settings(file)) == saved


@pytest.mark.process
def test_two_at_once_make_one_store(tmp_path: Path, many: Path) -> None:
    processes = [start(many, tmp_path / "data") for _ in range(2)]
    first, second = map(finish, processes)
    assert first == second
    assert sum("another process builds" in process.output() for process in processes) <= 1
    assert [path.name for path in first.parent.iterdir()] == [first.name]


@pytest.mark.process
def test_who_comes_second_says_that_it_waits(tmp_path: Path, many: Path) -> None:
    folder = finish(start(many, tmp_path / "data"))
    shutil.rmtree(folder)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        process = start(many, tmp_path / "data")
        while f"another process builds {folder}: waiting for it" not in process.output():
            assert process.poll() is None, process.output()
            time.sleep(0.01)
        assert not folder.exists()
    assert finish(process) == folder
    assert folder.is_dir()


def fails_to_write(source: Path, folder: Path, **options: object) -> None:
    """The command says in one message that there is no writing to a folder, and leaves nothing."""
    words = ["--corpus.source", str(source), "--corpus.folder", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.corpus", "build", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 2, done.stderr
    *bar, message = done.stderr.strip().splitlines()
    assert all(line.startswith(("building the corpus", "reading ")) for line in bar if line)
    assert message.startswith(f"error: the store in {folder} cannot be written")
    assert "--corpus.folder" in message
    assert left_in(folder) == set()


@pytest.mark.process
def test_files_that_may_not_grow(tmp_path: Path, many: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    fails_to_write(many, tmp_path / "data", preexec_fn=small_files)


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A folder in a file system of its own; only root can make one."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip(f"this user may not mount a file system ({options})")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.process
@pytest.mark.parametrize("size", ["100k", "400k"])  # full at the first shard; when they are joined
def test_a_full_folder(tmp_path: Path, many: Path, size: str) -> None:
    with mounted(tmp_path / "full", f"size={size}") as place:
        fails_to_write(many, place)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write to, root included."""
    place = tmp_path / "read-only"
    if os.geteuid() == 0:
        with mounted(place, "ro"):
            yield place
    else:
        place.mkdir(mode=0o500)
        yield place


@pytest.mark.process
@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_read_only_folder(read_only: Path, inside: str) -> None:
    fails_to_write(SAMPLE, read_only / inside)


def test_a_source_that_breaks_late_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stories: list[str], settings: Settings
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 2000)
    file = write_jsonl(tmp_path / "all.jsonl", stories)
    with file.open("ab") as stream:
        stream.write(b"no story\n")
    with pytest.raises(ValueError, match="line 201 of"):
        build_store(settings(file))
    assert left_in(tmp_path / "data") == set()


@pytest.mark.parametrize("texts", [[], ["", " \n "], ["cut off in the mid"]])
def test_no_story_left(tmp_path: Path, texts: list[str], settings: Settings) -> None:
    file = write_jsonl(tmp_path / "none.jsonl", texts)
    with pytest.raises(ValueError, match="no story of none.jsonl is left to train on"):
        build_store(settings(file))
    assert left_in(tmp_path / "data") == set()


def test_names_of_stores() -> None:
    assert build.short_name("my Stories (1).jsonl, ../b.txt") == "my-stories-1-jsonl-b-txt"
    assert build.short_name("物語") == "stories"


def test_notes_say_how_a_source_is_read_and_what_was_dropped(
    tmp_path: Path, stories: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "train.jsonl", [*stories[:40], "cut off in the mid", "cut off in the"])
    write_jsonl(tmp_path / "test.jsonl", stories[40:])
    for _ in range(2):  # built, and found
        build_store(settings(tmp_path))
        notes = capsys.readouterr().err
        assert f"splits of {tmp_path}: trained on train.jsonl; left out test.jsonl" in notes
        assert "reading train.jsonl: a JSON value per line, field `text`" in notes
        assert "note: `cut_off` dropped 2 of 42 stories (4.8%)" in notes
        assert "--corpus.complete false keeps them" in notes


def test_only_the_first_process_says_it(
    tmp_path: Path,
    stories: list[str],
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "1")
    build_store(settings(write_jsonl(tmp_path / "a.jsonl", stories)))
    assert "reading a.jsonl" not in capsys.readouterr().err


def test_a_store_with_other_closings_has_a_fingerprint_of_its_own(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    """And one without them the same as before `cut_off` knew them, so that runs resume."""
    keys = {"special": "keep", "validation_share": 0.0}
    plain = build_store(settings(write_jsonl(tmp_path / "a.jsonl", stories), **keys))
    assert "closing" not in plain.info["recipe"]["versions"]
    file = write_jsonl(tmp_path / "b.jsonl", [*stories, "He found the kite and he was happy 😀"])
    store = build_store(settings(file, **keys))
    assert store.num_stories("train") == len(stories) + 1
    assert store.info["recipe"]["versions"]["closing"] == 1
    assert store.folder.name.endswith(store.fingerprint[:12])
    assert build_store(settings(file, **keys)).folder == store.folder


def test_a_store_of_before_is_opened(
    tmp_path: Path, stories: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_jsonl(tmp_path / "b.jsonl", [*stories, "He found the kite and he was happy 😀"])
    keys = {"special": "keep", "validation_share": 0.0}
    with monkeypatch.context() as before:
        before.setattr(cleaning, "is_closed", lambda text: text.endswith(FIRST))
        old = build_store(settings(file, **keys))
    assert old.num_stories("train") == len(stories)
    assert build_store(settings(file, **keys)).folder == old.folder
