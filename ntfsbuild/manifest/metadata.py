"""Times, attributes and defaults: what files and directories have in common."""

from __future__ import annotations

from functools import lru_cache

from ntfsbuild.manifest.model import Defaults, NamesRule, Times, TimesSpec
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import parse_filetime


@lru_cache(maxsize=1024)
def parse_time(text: str) -> int:
    """The ticks of a timestamp; the ValueError says what is allowed."""
    try:
        return parse_filetime(text)
    except ValueError as error:
        raise ValueError(f"{shown(text)} is {error}") from None


def parse_attributes(names: list[str]) -> int:
    """The FILE_ATTRIBUTE bits of a list of names."""
    bits = 0
    for name in names:
        bits |= _ATTRIBUTE_BITS[name]
    return bits


def read_times(values: Values, node: Node) -> TimesSpec:
    """The value under `times`: one time, a mapping of some, or the word `source`."""
    given = node.data["times"] if values.has(node, "times") else None
    if given is None or given == "source":
        return given
    if isinstance(given, str):
        ticks = values.read(node, "times", parse_time)
        return Times(ticks, ticks, ticks, ticks)
    times = values.child(node, "times")
    return Times(*(values.read(times, name, parse_time) for name in Times._fields))


def read_names(values: Values, node: Node) -> NamesRule | None:
    """The value under `names`."""
    return node.data["names"] if values.has(node, "names") else None


def read_defaults(values: Values, node: Node) -> Defaults:
    """A mapping of `times` and `names`."""
    return Defaults(read_times(values, node), read_names(values, node))


_ATTRIBUTE_BITS = {flag.name.lower(): flag.value for flag in FileAttributes if flag.name}
