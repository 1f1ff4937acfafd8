"""Times, attributes and defaults: what files and directories have in common."""

from __future__ import annotations

from functools import lru_cache

from ntfsbuild.manifest.descriptors import Descriptors
from ntfsbuild.manifest.model import Defaults, NamesRule, Times, TimesSpec
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import parse_filetime
from ntfsbuild.ondisk.traits import SomeTicks


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


def read_times(values: Values, node: Node, key: str = "times") -> TimesSpec:
    """The value under a key: one time, a mapping of some, or the word `source`."""
    given = node.data[key] if values.has(node, key) else None
    if given is None or given == "source":
        return given
    if isinstance(given, str):
        ticks = values.read(node, key, parse_time)
        return Times(ticks, ticks, ticks, ticks)
    times = values.child(node, key)
    return Times(*(values.read(times, name, parse_time) for name in Times._fields))


def read_other_times(values: Values, node: Node, key: str) -> SomeTicks | None:
    """Times that never come from a source."""
    times = read_times(values, node, key)
    if times == "source":
        values.say(values.child(node, key), "no source has such times")
        return None
    return times and (times.created, times.modified, times.changed, times.accessed)


def read_names(values: Values, node: Node) -> NamesRule | None:
    """The value under `names`."""
    return node.data["names"] if values.has(node, "names") else None


def read_defaults(values: Values, node: Node, descriptors: Descriptors) -> Defaults:
    """A mapping of `times`, `names`, `security` and `short_names`."""
    return Defaults(
        read_times(values, node),
        read_names(values, node),
        descriptors.read(node, "security"),
        node.data["short_names"] if values.has(node, "short_names") else None,
    )


_ATTRIBUTE_BITS = {flag.name.lower(): flag.value for flag in FileAttributes if flag.name}
