"""The fields of a line, derived from the operation: their keys, and how they are written and read.

The name and type of a field decide; its default, if a line has not the key, follows from its type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, get_args, get_type_hints

from ntfsbuild.errors import unpack_position
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.file_attributes import attribute_names
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan import line_values as values
from ntfsbuild.plan import model
from ntfsbuild.plan.line_values import REQUIRED, Value

# The operations, and the words for them on a line, in the order in which messages list them.
NAMES: Final[dict[type[Any], str]] = {
    model.Format: "format",
    model.MakeDirectory: "directory",
    model.MakeFile: "file",
    model.OpenBase: "base",
    model.LinkFile: "hardlink",
    model.Keep: "keep",
    model.ReplaceFile: "replace",
    model.SetMetadata: "metadata",
    model.Remove: "remove",
    model.WriteStep: "write",
    model.TruncateStep: "truncate",
    model.RenameStep: "rename",
    model.LinkStep: "link",
    model.DeleteStep: "delete",
    model.MkdirStep: "mkdir",
    model.SetStep: "set",
    model.LabelStep: "label",
}
OPERATIONS: Final[dict[str, type[Any]]] = {name: kind for kind, name in NAMES.items()}

Write: TypeAlias = Callable[[Any], Any]
NO_TIMES: Final[SomeTicks] = (None, None, None, None)


class LineField(NamedTuple):
    """One field: `absent` is its value if the line has not the key, or REQUIRED."""

    name: str  # In the operation.
    key: str  # On the line.
    write: Write
    read: Value
    absent: Any
    always: bool  # Written even where it says what its absence says.


class _Rule(NamedTuple):
    """How values of one name or type are written and read."""

    write: Write
    read: Value


def times_data(times: Ticks4 | SomeTicks) -> str | dict[str, str]:
    """One text if the four are equal, as usual; else a mapping of the given ones."""
    if times[0] == times[1] == times[2] == times[3] and times[0] is not None:
        return format_filetime(times[0])
    return values.some_times_data(times)


def _as_it_is(value: Any) -> Any:
    return value


def _hex(value: bytes) -> str:
    return value.hex()


def _serial(value: int) -> str:
    return f"{value:#018x}"


def _origin(value: int) -> str:
    return "{}:{}".format(*unpack_position(value))


_INTEGER_16 = _Rule(_as_it_is, values.integer(0, (1 << 16) - 1))
_INTEGER_32 = _Rule(_as_it_is, values.integer(0, (1 << 32) - 1))
_KEYS = {"ticks": "time"}
_BY_NAME: dict[str, _Rule] = {
    "path": _Rule(_as_it_is, values.path),
    "to": _Rule(_as_it_is, values.path),
    "stream": _Rule(_as_it_is, values.stream_name),
    "short_name": _Rule(_as_it_is, values.file_name),
    "label": _Rule(_as_it_is, values.label),
    "serial": _Rule(_serial, values.serial),
    "object_id": _Rule(_hex, values.object_id),
    "attributes": _Rule(attribute_names, values.attributes),
    "ticks": _Rule(format_filetime, values.ticks),
    "origin": _Rule(_origin, values.origin),
    "at": _Rule(_as_it_is, values.size),
    **dict.fromkeys(
        ("directories", "files", "hidden_sectors"), _Rule(_as_it_is, values.integer(0, 2**32 - 1))
    ),
    **dict.fromkeys(("sectors_per_track", "heads"), _Rule(_as_it_is, values.integer(0, 2**16 - 1))),
}
_BY_TYPE: list[tuple[Any, _Rule]] = [
    (bool, _Rule(_as_it_is, values.truth)),
    (bool | None, _Rule(_as_it_is, values.truth)),
    (Ticks4, _Rule(times_data, values.times)),
    (SomeTicks, _Rule(times_data, values.some_times)),
    (float, _Rule(_as_it_is, values.percent)),
    (int, _Rule(_as_it_is, values.size)),
    (int | None, _Rule(_as_it_is, values.optional_size)),
]
_ABSENT_BY_NAME: dict[str, Any] = {"stream": "", "origin": 0}
_ABSENT_BY_TYPE: list[tuple[Any, Any]] = [(bool, False), (SomeTicks, NO_TIMES)]
# A format says everything, since it stands once; these may be missing all the same.
_ABSENT_IN_FORMAT: dict[str, Any] = {
    "size_bytes": REQUIRED,
    "extra_bytes": 0,
    "extra_percent": 0.0,
    "label": "",
}


def line_fields(
    kind: type[Any], content: tuple[Write, Value], features: tuple[Write, Value]
) -> tuple[LineField, ...]:
    """The fields of an operation in its order; how contents and features go is for the caller to say."""
    hints = get_type_hints(kind)
    own = {"content": _Rule(*content), "features": _Rule(*features)}
    fields = []
    for name in kind._fields:
        write, read = own.get(name) or _rule(name, hints[name])
        always = kind is model.Format and name not in kind._field_defaults and name != "origin"
        absent = _absent(kind, name, hints[name])
        fields.append(LineField(name, _KEYS.get(name, name), write, read, absent, always))
    return tuple(fields)


def _rule(name: str, hint: Any) -> _Rule:
    rule = _BY_NAME.get(name)
    return rule or next(rule for known, rule in _BY_TYPE if known == hint)


def _absent(kind: type[Any], name: str, hint: Any) -> Any:
    if kind is model.Format and name in _ABSENT_IN_FORMAT:
        return _ABSENT_IN_FORMAT[name]
    if name in kind._field_defaults:
        return kind._field_defaults[name]
    if name in _ABSENT_BY_NAME:
        return _ABSENT_BY_NAME[name]
    if type(None) in get_args(hint) and hint != SomeTicks:
        return None
    return next((absent for known, absent in _ABSENT_BY_TYPE if known == hint), REQUIRED)
