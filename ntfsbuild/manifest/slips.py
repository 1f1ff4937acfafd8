"""Keys in the wrong place: children under the key of a file, words of the language among children."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ntfsbuild.manifest.schema import manifest_schema
from ntfsbuild.manifest.words import nearest, quoted

_NAMES_MAX = 3  # Shown in a message.
_LOOKED_AT_MAX = 100  # Of the unknown keys of one file: to look for a similar word takes long.
_TEXT_MAX = 40  # Of a value in a message.
_MISSPELLED = 0.75  # How alike a misspelled word and the word are, at least.
_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9./_-]*")
_CONSTANTS = frozenset(["null", "true", "false"])
_NEVER_FILES = (list, bool, int, float)  # What no file can be.


@cache
def _keys(definition: str) -> frozenset[str]:
    return frozenset(manifest_schema()["$defs"][definition]["properties"])


@cache
def _all_keys() -> frozenset[str]:
    return _keys("file") | _keys("metadata")


def children_of_a_file(name: str, data: Any) -> str:
    """The message for the key of a directory that lacks its slash; empty if `data` describes a file."""
    if not isinstance(data, dict) or data.keys() <= _keys("file"):
        return ""
    unknown = [key for key in data if key not in _keys("file")]
    if not any(map(_is_path, unknown)) and not _has_children(data, unknown):
        return ""
    verb = "stands" if len(unknown) == 1 else "stand"
    return (
        f"is a file here, but {_enumerated(unknown)} {verb} in it: "
        f'the key of a directory ends in "/" ({_cut(name)}/:)'
    )


def _is_path(key: str) -> bool:
    return "." in key or "/" in key


def _has_children(data: dict[str, Any], unknown: list[str]) -> bool:
    """Whether names stand here that are no misspelled words; beside words only what no word would have."""
    known = _all_keys()
    looked_at = unknown[:_LOOKED_AT_MAX]
    names = [key for key in looked_at if key not in known and not nearest(key, known, _MISSPELLED)]
    if len(unknown) == len(data):
        return bool(names)
    return any(data[key] is None or isinstance(data[key], dict) for key in names)


def words_among_children(path: str, children: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys and messages, where all children of a directory are words of the language with short values.

    `path` is that of the directory in messages; the root directory has no slash at its end.
    """
    if children.keys() <= _all_keys() and all(
        isinstance(value, str | list | bool | int | float) for value in children.values()
    ):
        directory = path[:-1].rpartition("/")[2] if path.endswith("/") else ""
        for key, value in children.items():
            yield key, _misplaced(directory, key, value)


def word_of_a_directory(key: str, value: Any) -> str:
    """The message for one child that is no file, but a word of the directory; empty if it is not."""
    if key not in _keys("metadata") or not isinstance(value, _NEVER_FILES):
        return ""
    return _misplaced("", key, value)


def _misplaced(directory: str, key: str, value: Any) -> str:
    shown = _written(value)
    ways = []
    if key in _keys("metadata"):
        ways.append(("the directory itself", f"{{.: {{{key}: {shown}}}}}"))
    elif directory:
        ways.append(("a file instead of the directory", f"{_cut(directory)}: {{{key}: {shown}}}"))
    else:
        ways.append(("a file", f"{{its name: {{{key}: {shown}}}}}"))
    if not isinstance(value, list):  # The content of no file.
        text = shown if isinstance(value, str) else quoted(shown)
        ways.append(("a file of that name", f"{{{key}: {{text: {text}}}}}"))
    said = ", ".join(f"for {what}{' write' * (not at)} {form}" for at, (what, form) in enumerate(ways))
    return f"{quoted(key)} is the name of a file here; {said}"


def _written(value: Any) -> str:
    """A short value as YAML in one line."""
    if isinstance(value, list):
        short = len(value) <= _NAMES_MAX and all(isinstance(one, str) for one in value)
        return f"[{', '.join(map(_written, value))}]" if short else "[…]"
    if not isinstance(value, str):
        return json.dumps(value)
    if len(value) > _TEXT_MAX:
        return "…"
    return value if _PLAIN.fullmatch(value) and value not in _CONSTANTS else quoted(value)


def _enumerated(names: list[str]) -> str:
    shown = [_cut(name) for name in names]
    if len(shown) > _NAMES_MAX:
        shown = [*shown[: _NAMES_MAX - 1], f"{len(shown) - _NAMES_MAX + 1} more"]
    *most, last = shown
    return f"{', '.join(most)} and {last}" if most else last


def _cut(name: str) -> str:
    """A name as it is, or in quotes where it is long or odd."""
    return name if name.isprintable() and len(name) <= 60 else quoted(name)
