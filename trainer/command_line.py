"""Presets and command line to a Config: `--preset NAME`, then `--section.key value` over it.

The help is written from the settings' own documentation, so a key cannot exist without its
sentence.
"""

from __future__ import annotations

import dataclasses
import difflib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from trainer.config import SECTIONS, Config
from trainer.setting import RENAMED

PRESETS = Path(__file__).parent / "presets"
DEFAULT_PRESET = "storyteller"


def parse(arguments: Sequence[str]) -> Config:
    """The settings that a command line asks for.

    Raises:
        ValueError: an unknown preset or key, a missing or ill-typed value; one sentence names all
        of them.
    """
    preset, flags = DEFAULT_PRESET, []
    for key, value in pairs(arguments):
        if key == "preset":
            preset = value
        else:
            flags.append((key, value))
    values = load_preset(preset)
    given = {key for key, _ in flags}
    if preset not in shipped_presets():
        given |= {f"{section}.{key}" for section, keys in values.items() for key in keys}
    found = []
    for key, text in flags:
        try:
            section, name = known(key)
            values.setdefault(section, {})[name] = read(key, kind(section, name), text)
        except ValueError as error:
            found.append(str(error))
    if found:
        raise ValueError("; ".join(found))
    return Config(
        preset=preset,
        given=frozenset(given),
        **{name: part(**values.get(name, {})) for name, part in SECTIONS.items()},
    )


def pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(key, value) of `--key value` and `--key=value`; a flag on its own is true."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("--"):
            raise ValueError(
                f"{word!r} is not a setting: write --section.key value (--help lists them)"
            )
        key, equals, value = word[2:].partition("=")
        if not equals:
            if position < len(arguments) and not arguments[position].startswith("--"):
                value = arguments[position]
                position += 1
            elif key == "preset" or kind(*known(key)) is not bool:
                raise ValueError(f"--{key} needs a value")
            else:
                value = "true"
        yield key, value


def known(key: str) -> tuple[str, str]:
    """`section.key` split in two; an unknown one is answered with its nearest neighbour."""
    every = [
        f"{section}.{name.name}"
        for section, part in SECTIONS.items()
        for name in dataclasses.fields(part)
    ]
    if key in RENAMED:
        raise ValueError(f"the setting --{key} is called --{RENAMED[key]} now")
    if key not in every:
        near = difflib.get_close_matches(key, [*every, "preset"], n=1, cutoff=0.5)
        hint = f"did you mean --{near[0]}?" if near else "--help lists them"
        raise ValueError(f"there is no setting --{key}: {hint}")
    section, _, name = key.partition(".")
    return section, name


def kind(section: str, name: str) -> type:
    """The type of a key: that of its default."""
    fields = {key.name: type(key.default) for key in dataclasses.fields(SECTIONS[section])}
    return fields[name]


def read(key: str, wanted: type, value: Any) -> Any:
    """`value`, from YAML or a command line, as the type that `key` wants."""
    words: dict[type, tuple[str, Callable[[str], Any]]] = {
        int: ("a whole number", int),
        float: ("a number", float),
        bool: ("true or false", lambda text: {"true": True, "false": False}[text.lower()]),
        str: ("a text", str),
    }
    name, convert = words[wanted]
    if value is None:
        raise ValueError(f"{key} has no value: give one, or leave the line out")
    if isinstance(value, bool) and "on" in choices(key):
        value = "on" if value else "off"  # YAML reads these two words as true and false
    if isinstance(value, bool) != (wanted is bool) and not isinstance(value, str):
        raise ValueError(f"{key} must be {name}, not {value!r}")
    try:
        return convert(value if isinstance(value, str) else str(value))
    except (ValueError, KeyError):
        raise ValueError(f"{key} must be {name}, not {value!r}") from None


def choices(key: str) -> tuple[str, ...]:
    """The values that `section.name` may have; () where any of its type will do."""
    section, _, name = key.partition(".")
    fields = {key.name: key.metadata["choices"] for key in dataclasses.fields(SECTIONS[section])}
    return tuple(fields[name])


def load_preset(preset: str) -> dict[str, dict[str, Any]]:
    """The values a preset file sets, checked like flags. A preset is a shipped name or a path to a
    YAML file."""
    is_file = preset.endswith((".yaml", ".yml"))
    file = Path(preset).expanduser() if is_file else PRESETS / f"{preset}.yaml"
    try:
        if not file.is_file():
            names = ", ".join(shipped_presets())
            raise ValueError(
                f"there is no preset {preset!r}: choose one of {names}, or name a .yaml file"
            )
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ValueError(
            f"the preset file {file} cannot be read ({error.strerror}): name another, or give "
            "yourself the right to read it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the preset file {file} is not YAML: {str(error).splitlines()[0]}"
        ) from None
    try:
        return values_of(content)
    except ValueError as error:
        raise ValueError(f"the preset file {file}: {error}") from None


def values_of(content: Any) -> dict[str, dict[str, Any]]:
    """The settings in a preset's content; a section without keys sets nothing."""
    if not isinstance(content, dict) or not all(
        keys is None or isinstance(keys, dict) for keys in content.values()
    ):
        raise ValueError("it must hold `section:` blocks with `key: value` lines")
    values: dict[str, dict[str, Any]] = {}
    for section, keys in content.items():
        for key, value in (keys or {}).items():
            name = known(f"{section}.{key}")[1]
            wanted = kind(section, name)
            values.setdefault(section, {})[name] = read(f"{section}.{name}", wanted, value)
    return values


def shipped_presets() -> list[str]:
    """Names of the presets that ship with the project."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def help_text() -> str:
    """Every setting with its meaning, unit and default."""
    lines = [
        "accelerate launch trainer/train.py [--preset NAME] [--section.key value ...]",
        "",
        "Trains a tiny storyteller and exports it to <run.dir>/export.",
        "Run the same command again to go on.",
        "",
        f"  --preset NAME     {', '.join(shipped_presets())}, or a .yaml file",
        f"                    (default: {DEFAULT_PRESET}); its values are the defaults below",
        "  --help            this page",
    ]
    shipped = load_preset(DEFAULT_PRESET)
    for section, part in SECTIONS.items():
        lines += ["", f"{section}: {(part.__doc__ or '').strip()}"]
        for key in dataclasses.fields(part):
            default = shipped.get(section, {}).get(key.name, key.default)
            text = str(default).lower() if isinstance(default, bool) else str(default)
            about = [key.metadata["meaning"]]
            if key.metadata["choices"]:
                about.append(" | ".join(key.metadata["choices"]))
            if key.metadata["unit"]:
                about.append(f"in {key.metadata['unit']}")
            about.append(f"default: {text or 'empty'}")
            lines.append(f"  --{section}.{key.name}")
            lines += textwrap.wrap(
                "; ".join(about), 92, initial_indent=" " * 8, subsequent_indent=" " * 8
            )
    return "\n".join(lines)
