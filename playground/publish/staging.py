"""The files of a repository before it is published, chosen by an allow-list.

`upload_folder` and `gradio deploy` would send a whole folder. Here a file is published only if the
list allows its path, it is not a link, and the secret scan passes. Every other file is listed with
the reason why it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playground.publish.secret_scan import secret_in

FILE_MAX = 50 * 10**9  # bytes of a file on the Hub
LEFT_SHOWN = 40  # files left out that are printed, at most
KNOWN = {
    ".env": "settings and tokens of this computer",
    ".git": "the history of this folder",
    ".venv": "installed packages",
    "runs": "checkpoints and metrics of your runs",
    "data": "stories",
    "checkpoints": "checkpoints",
    "__pycache__": "made by Python",
}
KINDS = {
    ".db": "a database",
    ".sqlite": "a database",
    ".sqlite3": "a database",
    ".pt": "a checkpoint",
    ".pth": "a checkpoint",
    ".ckpt": "a checkpoint",
    ".bin": "weights as a pickle",
    ".pkl": "a pickle",
    ".jsonl": "stories",
    ".log": "a log",
}
OTHER = "not on the list of published files"

Say = Callable[[str], None]  # prints a line about the progress


@dataclass
class Staging:
    """A repository to publish.

    Attributes:
        files: by path in the repository, a local file or generated content.
        left_out: by path, the reason why a file is not published.
    """

    files: dict[str, Path | str | bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        content = self.files[path]
        if isinstance(content, Path):
            return content.stat().st_size
        return len(content.encode() if isinstance(content, str) else content)

    def add_folder(self, folder: Path, is_wanted: Callable[[str], bool]) -> None:
        """Add the files of a folder whose relative path `is_wanted`, and list the others as left
        out. A folder without a wanted file is listed once, as a whole.
        """
        for path, entry in walk(folder, is_wanted):
            if entry.is_symlink():
                self.left_out[path] = "a symbolic link, which may lead out of this folder"
            elif not is_wanted(path):
                self.left_out[path] = reason_left_out(entry)
            elif entry.stat().st_size > FILE_MAX:
                self.left_out[path] = "larger than the Hub allows"
            elif secret := secret_in(entry):
                self.left_out[path] = f"holds {secret}: remove it"
            else:
                self.files[path] = entry

    @property
    def tree(self) -> str:
        """Return the files with their sizes, one line each, and their sum."""
        lines = [f"  {readable(self.size(path)):>9}  {path}" for path in sorted(self.files)]
        total = sum(map(self.size, self.files))
        return "\n".join([*lines, f"  {readable(total):>9}  in {len(self.files)} files"])

    @property
    def remainder(self) -> str:
        """Return the files that are left out, one line each with the reason."""
        names = sorted(self.left_out)
        lines = [f"  {name}: {self.left_out[name]}" for name in names[:LEFT_SHOWN]]
        if len(names) > LEFT_SHOWN:
            lines.append(f"  and {len(names) - LEFT_SHOWN} more")
        return "\n".join(lines) or "  nothing"


def walk(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    """Yield the relative path and the entry of each file, each link, and each folder without a
    wanted file. Links are not followed."""

    def visit(entry: Path) -> Iterator[tuple[str, Path]]:
        path = entry.relative_to(folder).as_posix()
        if entry.is_symlink() or not entry.is_dir():
            yield path, entry
        elif entry.name in KNOWN or not any(holds(entry)):
            yield f"{path}/", entry
        else:
            for child in sorted(entry.iterdir()):
                yield from visit(child)

    def holds(entry: Path) -> Iterator[bool]:
        for file in entry.rglob("*"):
            if is_wanted(file.relative_to(folder).as_posix()):
                yield True

    for entry in sorted(folder.iterdir()):
        yield from visit(entry)


def reason_left_out(entry: Path) -> str:
    """Return why a file or folder is not published."""
    if entry.name in KNOWN or entry.name.startswith(".env"):
        return KNOWN.get(entry.name, KNOWN[".env"])
    return KINDS.get(entry.suffix, OTHER)


def readable(size: int) -> str:
    """Return a number of bytes in words: "38.4 MB" for 38,400,000."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
