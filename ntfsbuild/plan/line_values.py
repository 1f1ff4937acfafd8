"""Reads the values of a line of a saved plan; a fault has its path in the line."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import pack_position, unpack_position
from ntfsbuild.ondisk.file_attributes import SETTABLE_NAMES, FileAttributes
from ntfsbuild.ondisk.filetime import format_filetime, parse_filetime
from ntfsbuild.ondisk.names import MAX_NAME_UNITS, units, what_is_wrong_with_stream
from ntfsbuild.ondisk.standard_information import TIME_NAMES, Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label

SEED_MAX = (1 << 64) - 1
_ORIGIN = re.compile(r"([1-9][0-9]{0,9}):([1-9][0-9]{0,6})", re.ASCII)
_SERIAL = re.compile(r"0x[0-9a-f]{16}", re.ASCII)
_NO_NAME_CHARACTER = frozenset("\0/")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)

REQUIRED: Any = object()


class LineError(Exception):
    """A fault of a line: its path in the line, and a message."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


Value: TypeAlias = Callable[[Any], Any]
# Name → how its value is read, and the value that holds where the name is absent.
Fields: TypeAlias = dict[str, tuple[Value, Any]]


def json_object(line: bytes) -> dict[str, Any]:
    """The object that a line is; no key twice, no NaN."""
    try:
        data = json.loads(line, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise LineError("is not UTF-8") from None
    except (ValueError, RecursionError) as failure:
        message = failure.msg if isinstance(failure, json.JSONDecodeError) else "it goes beyond any plan"
        raise LineError(f"is not a line of JSON: {message}") from None
    if not isinstance(data, dict):
        raise LineError("is not a JSON object")
    return data


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise LineError("has the same key twice")
    return data


def _no_constant(name: str) -> None:
    raise LineError(f"{name} is not a number")


def taken(data: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The values in the order of the fields; unknown names, missing ones and bad values are faults."""
    for name in data:
        if name not in fields:
            raise LineError("is not known here" + (f" ({', '.join(fields)})" if fields else ""), name)
    values = {}
    for name, (convert, default) in fields.items():
        if name in data:
            values[name] = inside(name, convert, data[name])
        elif default is REQUIRED:
            raise LineError("is missing", name)
        else:
            values[name] = default
    return values


def inside(step: str | int, convert: Value, value: Any) -> Any:
    """The value converted; a fault gets the step to it, as the paths of a manifest are written."""
    try:
        return convert(value)
    except LineError as fault:
        separator = ": " if fault.path and not fault.path.startswith("[") else ""
        fault.path = (f"[{step}]" if isinstance(step, int) else step) + separator + fault.path
        raise


def mapping(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise LineError("is not an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LineError("is not a text")
    return value


def utf8(value: Any) -> str:
    """A text that UTF-8 can hold."""
    try:
        _text(value).encode()
    except UnicodeEncodeError:
        raise LineError("holds half a surrogate pair") from None
    return str(value)


def truth(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise LineError("is neither true nor false")
    return value


def integer(least: int, most: int) -> Value:
    """A whole number in these bounds."""

    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise LineError(f"is not a whole number from {least} to {most}")
        return value

    return convert


size = integer(0, SIZE_MAX)


def optional_size(value: Any) -> int | None:
    """A size, or null."""
    return None if value is None else int(size(value))


def percent(value: Any) -> float:
    """A percentage."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise LineError("is not a percentage")
    return value


def one_of(*words: str) -> Value:
    """One of a few words."""

    def convert(value: Any) -> str:
        if value not in words:
            raise LineError(f"is not one of {', '.join(words)}")
        return str(value)

    return convert


def _matched(pattern: re.Pattern[str], what: str) -> Callable[[Any], re.Match[str]]:
    def convert(value: Any) -> re.Match[str]:
        match = pattern.fullmatch(_text(value))
        if match is None:
            raise LineError(f"is not {what}")
        return match

    return convert


_matched_origin = _matched(_ORIGIN, 'a place in the manifest ("line:column")')
_matched_serial = _matched(_SERIAL, "a serial number (0x and 16 hexadecimal digits)")
_matched_digest = _matched(_DIGEST, "a SHA-256 (64 hexadecimal digits)")
_matched_hex = _matched(_HEX, "a row of pairs of hexadecimal digits")


def origin(value: Any) -> int:
    """A place in the manifest, packed."""
    line, column = map(int, _matched_origin(value).groups())
    position = pack_position(line, column)
    if unpack_position(position) != (line, column):
        raise LineError('is not a place in the manifest ("line:column")')
    return position


def serial(value: Any) -> int:
    """A serial number."""
    return int(_matched_serial(value)[0], 16)


def digest(value: Any) -> bytes:
    """A SHA-256."""
    return bytes.fromhex(_matched_digest(value)[0])


def hex_bytes(value: Any) -> bytes:
    """Bytes in hex."""
    return bytes.fromhex(_matched_hex(value)[0])


def base64_bytes(value: Any) -> bytes:
    """Bytes in base64."""
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise LineError("is not base64") from None


def ticks(value: Any) -> int:
    """A FILETIME."""
    try:
        return parse_filetime(_text(value))
    except ValueError as failure:
        raise LineError(f"is {failure}") from None


def times(value: Any) -> Ticks4:
    """All four times."""
    if isinstance(value, str):
        one = ticks(value)
        return one, one, one, one
    created, modified, changed, accessed = taken(mapping(value), _TIMES).values()
    return created, modified, changed, accessed


def some_times(value: Any) -> SomeTicks:
    """The given ones of the four times."""
    if isinstance(value, str):
        return times(value)
    created, modified, changed, accessed = taken(mapping(value), _SOME_TIMES).values()
    return created, modified, changed, accessed


def some_times_data(times: SomeTicks) -> dict[str, str]:
    """The given ones of the four times, by name."""
    named = zip(TIME_NAMES, times, strict=True)
    return {name: format_filetime(one) for name, one in named if one is not None}


def attributes(value: Any) -> int:
    """FILE_ATTRIBUTE bits, from their names."""
    if not isinstance(value, list):
        raise LineError("is not a list")
    bits = 0
    for index, each in enumerate(value):
        bits |= inside(index, _attribute, each)
    return bits


def _attribute(value: Any) -> int:
    bit = _ATTRIBUTE_BITS.get(_text(value))
    if bit is None:
        raise LineError(f"is not an attribute ({', '.join(_ATTRIBUTE_BITS)})")
    return bit


def label(value: Any) -> str:
    """A label that a volume can have."""
    if problem := what_is_wrong_with_label(_text(value)):
        raise LineError(problem)
    return str(value)


def stream_name(value: Any) -> str:
    """The name of a named stream."""
    if what_is_wrong_with_stream(_text(value)):
        raise LineError("is not the name of a stream")
    return str(value)


def file_name(value: Any) -> str:
    """A name of a file that NTFS can hold."""
    if not 1 <= units(_text(value)) <= MAX_NAME_UNITS or not _NO_NAME_CHARACTER.isdisjoint(value):
        raise LineError("is not a name")
    return str(value)


def object_id(value: Any) -> bytes:
    """An object id."""
    data = hex_bytes(value)
    if len(data) not in (16, 64):
        raise LineError("is not an object id of 16 or 64 bytes")
    return data


def path(value: Any) -> str:
    """An absolute path on the volume."""
    if not _text(value).startswith("/") or "//" in value or (value.endswith("/") and value != "/"):
        raise LineError("is not a path (it begins with a slash and does not end in one)")
    return str(value)


_ATTRIBUTE_BITS = {name: int(FileAttributes[name.upper()]) for name in SETTABLE_NAMES}
_TIMES: Fields = dict.fromkeys(TIME_NAMES, (ticks, REQUIRED))
_SOME_TIMES: Fields = dict.fromkeys(TIME_NAMES, (ticks, None))
HEADER: Fields = {"manifest": (utf8, REQUIRED), "digest": (lambda value: digest(value).hex(), REQUIRED)}
