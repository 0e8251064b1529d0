"""What was met before: exact hashes and near duplicates."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpus.store.duplicates import HashIndex, NearDuplicates, signatures

batches = st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=12)


@settings(max_examples=100, deadline=None)
@given(batches)
def test_the_index_is_a_dictionary_of_first_occurrences(batches: list[list[int]]) -> None:
    index, known, count = HashIndex(), {}, 0
    for batch in batches:
        numbers = np.arange(count, count + len(batch))
        new = index.first(np.array(batch, dtype=np.uint64), numbers)
        for hashed, number, fresh in zip(batch, numbers.tolist(), new.tolist(), strict=True):
            assert fresh == (hashed not in known)
            known.setdefault(hashed, number)
        count += len(batch)
    keys = np.arange(62, dtype=np.uint64)
    assert index.find(keys).tolist() == [known.get(key, -1) for key in range(62)]


def words(start: int, count: int) -> bytes:
    return b" ".join(b"w%d" % number for number in range(start, start + count))


def test_near_duplicates_are_found_and_others_are_not(tmp_path: Path) -> None:
    near = NearDuplicates(0.7, tmp_path / "signatures")
    first = [words(0, 200), words(1000, 200), b"The end.", b""]
    assert near.keep_mask(signatures(first)).tolist() == [True] * 4
    one_word = words(1000, 200).replace(b"w1100", b"cat")  # 191 of 201 five-word runs in common
    half = words(100, 200)  # 96 of 296 in common with the first
    second = [one_word, half, words(5000, 200), words(5000, 199), words(0, 200).upper()]
    assert near.keep_mask(signatures(second)).tolist() == [False, True, True, False, False]
    near.file.close()


def test_what_is_near_does_not_depend_on_how_stories_are_grouped(
    tmp_path: Path, stories: list[str]
) -> None:
    data = [story.encode() for story in stories]
    data += [story.replace("summer", "winter").encode() for story in stories[::3]]
    found = []
    for size in (1, 7, 1000):
        near = NearDuplicates(0.6, tmp_path / f"signatures-{size}")
        parts = [near.keep_mask(signatures(data[n : n + size])) for n in range(0, len(data), size)]
        found.append(np.concatenate(parts).tolist())
        near.file.close()
    assert found[0] == found[1] == found[2]
    assert sum(found[0][len(stories) :]) < 10  # of 67
