"""What a killed compiler leaves in the kept cache does not break later runs."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.compile_caches import STALE, remove_stale_lock, remove_torn_libraries


@pytest.mark.skipif(sys.platform != "linux", reason="libraries are ELF files on Linux")
def test_a_torn_library_is_removed_and_a_whole_one_stays(tmp_path: Path) -> None:
    import _ctypes  # a library that is there

    content = Path(_ctypes.__file__).read_bytes()
    pieces = {"whole": content, "empty": b"", "cut": content[:-1], "zeros": bytes(len(content))}
    for name, piece in pieces.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernel.so").write_bytes(piece)
    with (tmp_path / "cut" / "kernel.so").open("ab"):  # by the linker of another run
        remove_torn_libraries(tmp_path)
        assert {path.parent.name for path in tmp_path.glob("*/*.so")} == {"whole", "cut"}
    remove_torn_libraries(tmp_path)
    assert [path.parent.name for path in tmp_path.glob("*/*.so")] == ["whole"]


def test_only_an_old_lock_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    remove_stale_lock(lock)  # there is none
    lock.touch()
    remove_stale_lock(lock)
    assert lock.exists()
    before = time.time() - STALE - 1
    os.utime(lock, (before, before))
    remove_stale_lock(lock)
    assert not lock.exists()
