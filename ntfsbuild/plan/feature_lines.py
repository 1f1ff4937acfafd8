"""Features on a line of a saved plan: written, and read back.  Bytes are hex digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.standard_information import TIME_NAMES
from ntfsbuild.ondisk.traits import FORMS, MADE_SHORT_NAME, NO_SHORT_NAME, NO_TRAITS, SomeTicks, Traits
from ntfsbuild.plan.features import NO_FEATURES, Features, NamedStream
from ntfsbuild.plan.line_values import (
    REQUIRED,
    Fields,
    LineError,
    file_name,
    hex_bytes,
    inside,
    integer,
    mapping,
    one_of,
    size,
    some_times,
    stream_name,
    taken,
    truth,
)

Line: TypeAlias = dict[str, Any]

_BYTES = ("security", "reparse", "ea", "unix", "object_id", "efs")
_TIMES = ("name_times", "entry_times")
_SIZES = ("valid_bytes", "raw_bytes")
_NUMBERS = {"owner_id": 32, "quota_charged": 64, "usn": 64, "version_max": 32, "version": 32, "class_id": 32}


def features_data(features: Features, content_data: Callable[[Content], Line]) -> Line:
    """Features as JSON's types, without what says nothing."""
    line: Line = {}
    for name, value in features.traits._asdict().items():
        if value is None:
            continue
        if name in _BYTES:
            line[name] = value.hex()
        elif name in _TIMES:
            line[name] = _times(value)
        else:
            line[name] = value
    if features.form is not None:
        line["form"] = features.form
    for name in _SIZES:
        if getattr(features, name) is not None:
            line[name] = getattr(features, name)
    if features.file_key is not None:
        line["file_key"] = features.file_key.hex()
    if features.streams:
        line["streams"] = [_stream(one, content_data) for one in features.streams]
    return line | ({"linked": True} if features.linked else {})


def _times(times: SomeTicks) -> Line:
    named = zip(TIME_NAMES, times, strict=True)
    return {name: format_filetime(ticks) for name, ticks in named if ticks is not None}


def _stream(stream: NamedStream, content_data: Callable[[Content], Line]) -> Line:
    line: Line = {"name": stream.name, "content": content_data(stream.content)}
    if stream.form != "plain":
        line["form"] = stream.form
    return line | {name: value for name in _SIZES if (value := getattr(stream, name)) is not None}


def features_reader(read_content: Callable[[Any], Content]) -> Callable[[Any], Features]:
    """Reads features; `read_content` reads the content of a stream."""
    form = (one_of(*FORMS), "plain")
    stream_fields: Fields = {
        "name": (stream_name, REQUIRED),
        "content": (read_content, REQUIRED),
        "form": form,
        **dict.fromkeys(_SIZES, (size, None)),
    }

    def streams(value: Any) -> tuple[NamedStream, ...]:
        if not isinstance(value, list):
            raise LineError("is not a list")
        return tuple(inside(index, _one_stream, each) for index, each in enumerate(value))

    def _one_stream(value: Any) -> NamedStream:
        return NamedStream(**taken(mapping(value), stream_fields))

    trait_fields: Fields = {
        **dict.fromkeys(_BYTES, (hex_bytes, None)),
        "short_name": (_short_name, None),
        **dict.fromkeys(_TIMES, (some_times, None)),
        "case_sensitive": (truth, None),
        **{name: (integer(0, (1 << bits) - 1), None) for name, bits in _NUMBERS.items()},
    }
    other_fields: Fields = {
        "form": (one_of(*FORMS), None),
        **dict.fromkeys(_SIZES, (size, None)),
        "streams": (streams, ()),
        "file_key": (hex_bytes, None),
        "linked": (truth, False),
    }

    def features(value: Any) -> Features:
        values = taken(mapping(value), trait_fields | other_fields)
        traits = Traits(**{name: values.pop(name) for name in trait_fields})
        found = Features(NO_TRAITS if traits == NO_TRAITS else traits, **values)
        return NO_FEATURES if found == NO_FEATURES else found

    return features


def _short_name(value: Any) -> str:
    return value if value in (MADE_SHORT_NAME, NO_SHORT_NAME) else file_name(value)
