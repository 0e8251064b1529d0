"""What would be published: an allow-list of files, and everything else with the reason why not.

`upload_folder` and `gradio deploy` take whatever lies in a folder. Here a file goes only if the
list names its kind, it is a file of its own and no link, and nothing in it looks like a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playground.publish.secret_scan import secret_in

FILE_MAX = 50 * 10**9  # bytes of a file on the Hub
LEFT_SHOWN = 40  # reasons that are printed one by one
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
OTHER = "not on the list of what is published"

Say = Callable[[str], None]  # hears a line at a time of what is being done


@dataclass
class Staging:
    """A repository as it will be.

    Attributes:
        files: content by path in the repository: a file here, or what was made for it.
        left_out: reason by path, of what lies beside and is not published.
    """

    files: dict[str, Path | str | bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        content = self.files[path]
        if isinstance(content, Path):
            return content.stat().st_size
        return len(content.encode() if isinstance(content, str) else content)

    def add_folder(
        self, folder: Path, is_wanted: Callable[[str], bool], *, under: str = ""
    ) -> None:
        """Take the files of a folder whose path in it `is_wanted`; say of the others why not.

        A folder of which nothing is wanted is named once and not looked into.
        """
        for path, entry in walk(folder, is_wanted):
            name = f"{under}{path}"
            if entry.is_symlink():
                self.left_out[name] = "a symbolic link, which may lead out of this folder"
            elif not is_wanted(path):
                self.left_out[name] = reason(entry)
            elif entry.stat().st_size > FILE_MAX:
                self.left_out[name] = "larger than the Hub takes"
            elif secret := secret_in(entry):
                self.left_out[name] = f"holds {secret}: remove it"
            else:
                self.files[name] = entry

    @property
    def tree(self) -> str:
        """The files with their sizes, a line each, and their sum."""
        lines = [f"  {readable(self.size(path)):>9}  {path}" for path in sorted(self.files)]
        whole = sum(map(self.size, self.files))
        return "\n".join([*lines, f"  {readable(whole):>9}  in {len(self.files)} files"])

    @property
    def remainder(self) -> str:
        """Return the files that are left out, one line each with the reason."""
        names = sorted(self.left_out)
        lines = [f"  {name}: {self.left_out[name]}" for name in names[:LEFT_SHOWN]]
        if len(names) > LEFT_SHOWN:
            lines.append(f"  and {len(names) - LEFT_SHOWN} more")
        return "\n".join(lines) or "  nothing"


def walk(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    """Path in the folder and entry of each file and link, and of each folder without a wanted
    file. Links are not followed."""

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


def reason(entry: Path) -> str:
    """Why something is not published."""
    if entry.name in KNOWN or entry.name.startswith(".env"):
        return KNOWN.get(entry.name, KNOWN[".env"])
    return KINDS.get(entry.suffix, OTHER)


def readable(size: int) -> str:
    """38,400,000 -> '38.4 MB'."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
