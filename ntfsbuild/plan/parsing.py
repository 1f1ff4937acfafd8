"""Saved plans, read: every line is checked for its shape, and every fault has its place.

What an operation means to the volume (a name that NTFS refuses, a directory that is not there) is for
the volume to judge, as it is for a plan that was compiled a moment ago.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import (
    SIZE_MAX,
    Content,
    Fill,
    HostFile,
    Inline,
    Part,
    Segment,
    Segments,
    TarMember,
)
from ntfsbuild.errors import ManifestError, Mark, Problem, pack_position, unpack_position
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import parse_filetime
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.plan.lines import TIME_NAMES, VERSION
from ntfsbuild.plan.model import ATTRIBUTES, Format, MakeDirectory, MakeFile, Operation, Plan

_PROBLEMS_MAX = 50
_LABEL_UNITS_MAX = 32
_SEED_MAX = (1 << 64) - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ORIGIN = re.compile(r"([1-9][0-9]{0,9}):([1-9][0-9]{0,6})", re.ASCII)
_SERIAL = re.compile(r"0x[0-9a-f]{16}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)

_REQUIRED: Any = object()


class _LineError(Exception):
    """Something is wrong with a line; where in it, and what."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


_Value: TypeAlias = Callable[[Any], Any]
# Name → how its value is read, and the value that holds where the name is absent.
_Fields: TypeAlias = dict[str, tuple[_Value, Any]]


def manifest_name(first_line: bytes, file: str) -> str:
    """The file name of the manifest that the plan with this header came from."""
    return str(_header(first_line, file)["manifest"])


def read(lines: Iterable[bytes], file: str, base: bytes, confine: Confinement) -> Plan:
    """The plan in these lines, read as it is executed; `file` is its name in error messages.

    Host paths are relative to `base` and must lie inside `confine`.  A fault is raised when its line is
    reached, together with all that follow it.
    """
    numbered = enumerate(lines, 1)
    header = _header(next(numbered, (1, b""))[1], file)
    reader = _Reader(file, base, confine)
    return Plan(header["manifest"], bytes.fromhex(header["digest"]), reader.operations(numbered))


def _header(line: bytes, file: str) -> dict[str, Any]:
    try:
        data = _json_object(line)
        if data.get("ntfsbuild_plan") != VERSION or isinstance(data["ntfsbuild_plan"], bool):
            raise _LineError(
                f'is not a plan of this version: it begins with {{"ntfsbuild_plan": {VERSION}, …}}'
            )
        return _taken(data, {"ntfsbuild_plan": (_integer(1, 1), 0), **_HEADER})
    except _LineError as fault:
        raise ManifestError([Problem(Mark(file, 1, 1), fault.path, fault.message)]) from None


class _Reader:
    """What is the same for all lines of one plan."""

    def __init__(self, file: str, base: bytes, confine: Confinement) -> None:
        self.file = file
        self.base = base
        self.confine = confine
        self._real_folders: dict[bytes, bytes] = {}
        self._finished = False
        self._formatted = self._rooted = False
        self.content_fields: dict[str, _Fields] = {
            "text": {"text": (_utf8, _REQUIRED)},
            "base64": {"base64": (_base64, _REQUIRED)},
            "fill": {
                "fill": (_one_of("zero", "random"), _REQUIRED),
                "size_bytes": (_size, _REQUIRED),
                "seed": (_integer(0, _SEED_MAX), None),
            },
            "source": {
                "source": (self._host_path, _REQUIRED),
                "size_bytes": (_size, None),
                "sha256": (_digest, None),
            },
            "archive": {
                "archive": (self._host_path, _REQUIRED),
                "member": (_utf8, _REQUIRED),
                "offset": (_size, _REQUIRED),
                "size_bytes": (_size, _REQUIRED),
                "sha256": (_digest, None),
            },
            "data": {"size_bytes": (_size, _REQUIRED), "data": (self._segments, _REQUIRED)},
        }
        self.operation_fields: dict[str, _Fields] = {
            "format": _FORMAT,
            "directory": _DIRECTORY,
            "file": {**_FILE, "content": (self._content, _REQUIRED)},
            "commit": {},
        }

    def operations(self, numbered: Iterable[tuple[int, bytes]]) -> Iterator[Operation]:
        """Every operation until the commit; after the first fault only faults are looked for."""
        problems: list[Problem] = []
        number = 1
        for number, line in numbered:
            try:
                operation = self._operation(line)
            except _LineError as fault:
                problems.append(Problem(Mark(self.file, number, 1), fault.path, fault.message))
                if len(problems) == _PROBLEMS_MAX:
                    raise ManifestError(problems) from None
                continue
            if operation is not None and not problems:
                yield operation
        if not self._finished:
            message = "the plan is cut off: its last line is not a commit"
            problems.append(Problem(Mark(self.file, number + 1, 1), "", message))
        if problems:
            raise ManifestError(problems)

    def _operation(self, line: bytes) -> Operation | None:
        data = _json_object(line)
        if self._finished:
            raise _LineError("nothing can follow the commit")
        kind = data.pop("op", None)
        if not isinstance(kind, str) or kind not in self.operation_fields:
            raise _LineError("is not an operation (format, directory, file or commit)", "op")
        self._check_order(kind, data.get("path"))
        values = _taken(data, self.operation_fields[kind])
        match kind:
            case "file":
                return MakeFile(**values)
            case "directory":
                return MakeDirectory(**values)
            case "format":
                return Format(**values)
        return None

    def _check_order(self, kind: str, path: Any) -> None:
        """A format, the root, all else, a commit; what is missing is said once."""
        is_format, is_root = kind == "format", kind == "directory" and path == "/"
        formatted, rooted = self._formatted, self._rooted
        self._formatted, self._rooted = True, rooted or not is_format
        self._finished = kind == "commit"
        if is_format == formatted:
            raise _LineError("there is one format, and it comes first", "op")
        if not is_format and is_root == rooted:
            raise _LineError("the directory / is there once, right behind the format", "op")

    def _content(self, value: Any) -> Content:
        if isinstance(value, dict) and "data" in value:
            data = _taken(value, self.content_fields["data"])
            return Segments(data["size_bytes"], data["data"])
        return self._part(value)

    def _part(self, value: Any) -> Part:
        kinds = [kind for kind in self.content_fields if kind != "data" and kind in _mapping(value)]
        if len(kinds) != 1:
            raise _LineError("is not a content (one of text, base64, fill, source, archive, data)")
        data = _taken(value, self.content_fields[kinds[0]])
        match kinds[0]:
            case "text":
                return Inline(data["text"].encode())
            case "base64":
                return Inline(data["base64"])
            case "fill":
                if (data["fill"] == "random") != (data["seed"] is not None):
                    raise _LineError("belongs to a random fill, and only to it", "seed")
                return Fill(data["size_bytes"], data["seed"])
            case "source":
                return HostFile(data["source"], data["size_bytes"], data["sha256"])
            case _:
                return TarMember(*data.values())

    def _segments(self, value: Any) -> tuple[Segment, ...]:
        if not isinstance(value, list):
            raise _LineError("is not a list")
        return tuple(_inside(index, self._segment, each) for index, each in enumerate(value))

    def _segment(self, value: Any) -> Segment:
        part = dict(_mapping(value))
        if "at" not in part:
            raise _LineError("is missing", "at")
        at = _inside("at", _size, part.pop("at"))
        return Segment(at, self._part(part))

    def _host_path(self, value: Any) -> bytes:
        """The real path: only the last part may be a link, and that one is not followed when opened."""
        path = os.path.join(self.base, _utf8(value).encode())
        if b"\0" in path:
            raise _LineError("is not a path")
        folder, name = os.path.split(path)
        if name in (b"", b".", b".."):
            raise _LineError("is not the path of a file")
        try:
            real = self._real_folders.get(folder)
            if real is None:
                real = self._real_folders[folder] = self.confine.check(folder)
        except ManifestError as fault:
            raise _LineError(str(fault)) from None
        return os.path.join(real, name)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _LineError("is not UTF-8") from None
    except (ValueError, RecursionError) as failure:
        message = failure.msg if isinstance(failure, json.JSONDecodeError) else "it goes beyond any plan"
        raise _LineError(f"is not a line of JSON: {message}") from None
    if not isinstance(data, dict):
        raise _LineError("is not a JSON object")
    return data


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _LineError("has the same key twice")
    return data


def _no_constant(name: str) -> None:
    raise _LineError(f"{name} is not a number")


def _taken(data: dict[str, Any], fields: _Fields) -> dict[str, Any]:
    """The values in the order of the fields; unknown names, missing ones and bad values are faults."""
    for name in data:
        if name not in fields:
            raise _LineError("is not known here" + (f" ({', '.join(fields)})" if fields else ""), name)
    values = {}
    for name, (convert, default) in fields.items():
        if name in data:
            values[name] = _inside(name, convert, data[name])
        elif default is _REQUIRED:
            raise _LineError("is missing", name)
        else:
            values[name] = default
    return values


def _inside(step: str | int, convert: _Value, value: Any) -> Any:
    """The value converted; a fault gets the step to it, as the paths of a manifest are written."""
    try:
        return convert(value)
    except _LineError as fault:
        separator = ": " if fault.path and not fault.path.startswith("[") else ""
        fault.path = (f"[{step}]" if isinstance(step, int) else step) + separator + fault.path
        raise


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _LineError("is not an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _LineError("is not a text")
    return value


def _utf8(value: Any) -> str:
    try:
        _text(value).encode()
    except UnicodeEncodeError:
        raise _LineError("holds half a surrogate pair") from None
    return str(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _LineError("is neither true nor false")
    return value


def _integer(least: int, most: int) -> _Value:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _LineError(f"is not a whole number from {least} to {most}")
        return value

    return convert


_size = _integer(0, SIZE_MAX)


def _optional_size(value: Any) -> int | None:
    return None if value is None else int(_size(value))


def _percent(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise _LineError("is not a percentage")
    return value


def _one_of(*words: str) -> _Value:
    def convert(value: Any) -> str:
        if value not in words:
            raise _LineError(f"is not one of {', '.join(words)}")
        return str(value)

    return convert


def _matched(pattern: re.Pattern[str], what: str) -> Callable[[Any], re.Match[str]]:
    def convert(value: Any) -> re.Match[str]:
        match = pattern.fullmatch(_text(value))
        if match is None:
            raise _LineError(f"is not {what}")
        return match

    return convert


_matched_origin = _matched(_ORIGIN, 'a place in the manifest ("line:column")')
_matched_serial = _matched(_SERIAL, "a serial number (0x and 16 hexadecimal digits)")
_matched_digest = _matched(_DIGEST, "a SHA-256 (64 hexadecimal digits)")


def _origin(value: Any) -> int:
    line, column = map(int, _matched_origin(value).groups())
    position = pack_position(line, column)
    if unpack_position(position) != (line, column):
        raise _LineError('is not a place in the manifest ("line:column")')
    return position


def _serial(value: Any) -> int:
    return int(_matched_serial(value)[0], 16)


def _digest(value: Any) -> bytes:
    return bytes.fromhex(_matched_digest(value)[0])


def _base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise _LineError("is not base64") from None


def _ticks(value: Any) -> int:
    try:
        return parse_filetime(_text(value))
    except ValueError as failure:
        raise _LineError(f"is {failure}") from None


def _times(value: Any) -> Ticks4:
    if isinstance(value, str):
        ticks = _ticks(value)
        return ticks, ticks, ticks, ticks
    created, modified, changed, accessed = _taken(_mapping(value), _TIMES).values()
    return created, modified, changed, accessed


def _attributes(value: Any) -> int:
    if not isinstance(value, list):
        raise _LineError("is not a list")
    bits = 0
    for index, each in enumerate(value):
        bits |= _inside(index, _attribute, each)
    return bits


def _attribute(value: Any) -> int:
    bit = _ATTRIBUTE_BITS.get(_text(value))
    if bit is None:
        raise _LineError(f"is not an attribute ({', '.join(_ATTRIBUTE_BITS)})")
    return bit


def _label(value: Any) -> str:
    units = len(_text(value).encode("utf-16-le", "surrogatepass")) // 2
    if units > _LABEL_UNITS_MAX or _CONTROL.search(value):
        raise _LineError(f"is not a label (at most {_LABEL_UNITS_MAX} UTF-16 units, no control characters)")
    return str(value)


def _path(value: Any) -> str:
    if not _text(value).startswith("/") or "//" in value or (value.endswith("/") and value != "/"):
        raise _LineError("is not a path (it begins with a slash and does not end in one)")
    return str(value)


_ATTRIBUTE_BITS = {name: int(FileAttributes[name.upper()]) for name in ATTRIBUTES}
_TIMES: _Fields = dict.fromkeys(TIME_NAMES, (_ticks, _REQUIRED))
_HEADER: _Fields = {"manifest": (_utf8, _REQUIRED), "digest": (lambda value: _digest(value).hex(), _REQUIRED)}
_FORMAT: _Fields = {
    "size_bytes": (_optional_size, _REQUIRED),
    "extra_bytes": (_size, 0),
    "extra_percent": (_percent, 0.0),
    "label": (_label, ""),
    "serial": (_serial, _REQUIRED),
    "cluster_bytes": (_size, _REQUIRED),
    "sector_bytes": (_size, _REQUIRED),
    "record_bytes": (_size, _REQUIRED),
    "hidden_sectors": (_integer(0, 0xFFFFFFFF), _REQUIRED),
    "sectors_per_track": (_integer(0, 0xFFFF), _REQUIRED),
    "heads": (_integer(0, 0xFFFF), _REQUIRED),
    "times": (_times, _REQUIRED),
    "directories": (_integer(0, 0xFFFFFFFF), _REQUIRED),
    "files": (_integer(0, 0xFFFFFFFF), _REQUIRED),
    "origin": (_origin, 0),
}
_DIRECTORY: _Fields = {
    "path": (_path, _REQUIRED),
    "times": (_times, _REQUIRED),
    "attributes": (_attributes, _REQUIRED),
    "posix_names": (_truth, False),
    "origin": (_origin, 0),
}
_FILE: _Fields = {
    "path": (_path, _REQUIRED),
    "times": (_times, _REQUIRED),
    "attributes": (_attributes, _REQUIRED),
    "origin": (_origin, 0),
}
