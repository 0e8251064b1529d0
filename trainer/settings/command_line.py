"""Read a Config from a preset and the command line: `--preset NAME`, overridden by `--section.key
value`. The help is generated from the settings' own documentation.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from trainer.settings.config import SECTIONS, Config
from trainer.settings.setting import OVERRIDDEN, PATHS, RENAMED, USUAL_NAMES

PRESETS = Path(__file__).parents[1] / "presets"
DEFAULT_PRESET = "storyteller"
FIELDS = {
    f"{section}.{key.name}": key
    for section, part in SECTIONS.items()
    for key in dataclasses.fields(part)
}


def parse(arguments: Sequence[str]) -> Config:
    """Return the settings of a command line. Raises one ValueError for all unknown presets and
    keys, missing values and wrong types."""
    preset, flags = DEFAULT_PRESET, []
    for key, value in pairs(arguments):
        if key == "preset":
            preset = value
        else:
            flags.append((key, value))
    values = load_preset(preset)
    named = {key for key, _ in flags}
    for first, second in OVERRIDDEN.items():
        if first in named and second not in named:
            section, name = split_key(second)
            values.get(section, {}).pop(name, None)
    given = set(named)
    if preset not in shipped_presets():
        given |= {f"{section}.{key}" for section, keys in values.items() for key in keys}
    complaints = []
    for key, text in flags:
        try:
            section, name = split_key(key)
            values.setdefault(section, {})[name] = read(
                key, kind(section, name), decoded(key, text)
            )
        except ValueError as error:
            complaints.append(str(error))
    complaints += contradictions(named, values)
    if complaints:
        raise ValueError("; ".join(complaints))
    return Config(
        preset=preset,
        given=frozenset(given),
        **{name: part(**values.get(name, {})) for name, part in SECTIONS.items()},
    )


def contradictions(named: set[str], values: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a message for each pair of contradicting settings of the command line."""
    for first, second in OVERRIDDEN.items():
        section, name = split_key(second)
        if {first, second} <= named and values[section].get(name):
            yield f"--{first} and --{second} contradict each other: leave one of them out"


def decoded(key: str, text: str) -> str:
    """Return a text of the command line, decoded as UTF-8.

    In a locale without UTF-8, Python keeps bytes as lone surrogates, which cannot be encoded.
    Raises ValueError if the bytes are not UTF-8, or name a file that this locale cannot open.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        pass
    try:
        real = os.fsencode(text).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"--{key} is not UTF-8: {ascii(text)}; give it in UTF-8") from None
    if key in PATHS:
        raise ValueError(
            f"--{key} {ascii(real)} cannot be opened in this locale: set PYTHONUTF8=1 in the "
            "environment"
        )
    return real


def pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of `--key value` and `--key=value`; a flag without a value is true."""
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
            elif key == "preset" or kind(*split_key(key)) is not bool:
                raise ValueError(f"--{key} needs a value")
            else:
                value = "true"
        yield key, value


def split_key(key: str) -> tuple[str, str]:
    """Split `section.key` in two. Raises ValueError for an unknown key, with a suggestion."""
    if key in RENAMED:
        raise ValueError(f"the setting --{key} is called --{RENAMED[key]} now")
    if key not in FIELDS:
        raise ValueError(f"there is no setting --{key}: {hint(key)}")
    section, _, name = key.partition(".")
    return section, name


def hint(key: str) -> str:
    """Return a suggestion for an unknown setting."""
    name = key.replace("-", "_").lower()
    if name in ("resume", "resume_from_checkpoint"):
        return "leave it out, the same command resumes automatically"
    near = [USUAL_NAMES[name]] if name in USUAL_NAMES else []
    near += [other for other in FIELDS if other.partition(".")[2] == name]
    near += difflib.get_close_matches(name, [*FIELDS, "preset"], n=1, cutoff=0.5)
    return f"did you mean --{near[0]}?" if near else "--help lists them"


def kind(section: str, name: str) -> type:
    """Return the type of a setting, which is that of its default."""
    return type(FIELDS[f"{section}.{name}"].default)


def read(key: str, wanted: type, value: Any) -> Any:
    """Return a value, from YAML or a command line, converted to the type of its key. Raises
    ValueError if it has another type."""
    words: dict[type, tuple[str, Callable[[str], Any]]] = {
        int: ("a whole number", int),
        float: ("a number", float),
        bool: ("true or false", lambda text: {"true": True, "false": False}[text.lower()]),
        str: ("a text", str),
    }
    name, convert = words[wanted]
    if isinstance(value, list) and wanted is str:
        value = joined(key, value)
    if value is None:
        raise ValueError(f"{key} has no value: give one, or leave the line out")
    if isinstance(value, bool) and "on" in FIELDS[key].metadata["choices"]:
        value = "on" if value else "off"  # YAML reads these two words as true and false
    is_other = isinstance(value, dict) or isinstance(value, bool) != (wanted is bool)
    if is_other and not isinstance(value, str):
        raise ValueError(f"{key} must be {name}, not {value!r}")
    try:
        return convert(value if isinstance(value, str) else str(value))
    except (ValueError, KeyError):
        raise ValueError(f"{key} must be {name}, not {value!r}") from None


def joined(key: str, values: list[Any]) -> str:
    """Return a list from YAML as one text, as on a command line. Raises ValueError if `key` is not
    a list, or a value contains its separator."""
    separator: str = FIELDS[key].metadata["separator"]
    if not separator:
        raise ValueError(f"{key} must be a text, not a list")
    for value in values:
        if not isinstance(value, str | int | float) or separator in str(value):
            raise ValueError(
                f"{key} must be a list of texts without {separator!r}, which separates them: "
                f"change {value!r}"
            )
    return separator.join(map(str, values))


def load_preset(preset: str) -> dict[str, dict[str, Any]]:
    """Return the checked values of a preset: a shipped name, or the path of a YAML file."""
    is_file = preset.endswith((".yaml", ".yml"))
    file = Path(preset).expanduser() if is_file else PRESETS / f"{preset}.yaml"
    try:
        if not file.is_file():
            names = ", ".join(shipped_presets())
            raise ValueError(
                f"there is no preset {preset!r}: choose one of {names}, or name a .yaml file"
            )
        content, lines = read_yaml(file.read_bytes())
    except OSError as error:
        raise ValueError(
            f"the preset file {file} cannot be read ({error.strerror}): name another, or change "
            "its permissions"
        ) from None
    except yaml.YAMLError as error:
        raise ValueError(f"the preset file {file} is not YAML: {cause_of(error)}") from None
    try:
        return values_of(content, lines)
    except ValueError as error:
        raise ValueError(f"the preset file {file}: {error}") from None


def read_yaml(content: bytes) -> tuple[Any, dict[str, int]]:
    """Return the content of a YAML file, and the line of each `section.key`."""
    loader = yaml.SafeLoader(content)
    try:
        node = loader.get_single_node()
        lines = {}
        for section, keys in node.value if isinstance(node, yaml.MappingNode) else []:
            for key, _ in keys.value if isinstance(keys, yaml.MappingNode) else []:
                lines[f"{section.value}.{key.value}"] = key.start_mark.line + 1
        return (loader.construct_document(node) if node else {}) or {}, lines
    finally:
        loader.dispose()


def cause_of(error: yaml.YAMLError) -> str:
    """Return the problem in a YAML file, with line and column."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error).splitlines()[0]
    problem = getattr(error, "problem", None) or "it cannot be read"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def values_of(content: Any, lines: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return the settings in a preset's content. `lines`: their line numbers, for messages."""
    if not isinstance(content, dict) or not all(
        keys is None or isinstance(keys, dict) for keys in content.values()
    ):
        raise ValueError("it must hold `section:` blocks with `key: value` lines")
    values: dict[str, dict[str, Any]] = {}
    for section, keys in content.items():
        for key, value in (keys or {}).items():
            try:
                name = split_key(f"{section}.{key}")[1]
                wanted = kind(section, name)
                values.setdefault(section, {})[name] = read(f"{section}.{name}", wanted, value)
            except ValueError as error:
                where = lines.get(f"{section}.{key}")
                raise ValueError(f"{error}" + (f" (line {where})" if where else "")) from None
    return values


def shipped_presets() -> list[str]:
    """Return the names of the presets that ship with the project."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def help_text() -> str:
    """Return the help: every setting with its meaning, unit and default."""
    lines = [
        "accelerate launch trainer/train.py [--preset NAME] [--section.key value ...]",
        "",
        "Trains a tiny storyteller and exports it to <run.dir>/export.",
        "Run the same command again to resume.",
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


def described() -> dict[str, Any]:
    """Return every setting and every preset as JSON values, for `--help --json`."""
    shipped = load_preset(DEFAULT_PRESET)
    return {
        "default_preset": DEFAULT_PRESET,
        "presets": [
            {
                "name": name,
                "about": about_preset(name),
                "values": {
                    f"{section}.{key}": value
                    for section, keys in load_preset(name).items()
                    for key, value in keys.items()
                },
            }
            for name in shipped_presets()
        ],
        "settings": [
            {
                "key": key,
                "section": key.partition(".")[0],
                "type": type(field.default).__name__,
                "default": shipped.get(key.partition(".")[0], {}).get(field.name, field.default),
                "meaning": field.metadata["meaning"],
                "unit": field.metadata["unit"],
                "choices": list(field.metadata["choices"]),
                "is_path": key in PATHS,
            }
            for key, field in FIELDS.items()
        ],
    }


def about_preset(name: str) -> str:
    """Return the comment at the top of a shipped preset's file."""
    lines = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.lstrip("# ") for line in comment)
