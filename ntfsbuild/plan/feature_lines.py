"""Features on a line of a saved plan: written, and read back.  Bytes are hex digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, get_type_hints

from ntfsbuild.content.model import Content
from ntfsbuild.ondisk.traits import (
    FORMS,
    INFORMATION_BITS,
    MADE_SHORT_NAME,
    NO_SHORT_NAME,
    NO_TRAITS,
    SomeTicks,
    Traits,
)
from ntfsbuild.plan.features import NO_FEATURES, Features, NamedStream
from ntfsbuild.plan.line_values import (
    REQUIRED,
    Fields,
    LineError,
    Value,
    file_name,
    hex_bytes,
    inside,
    integer,
    mapping,
    one_of,
    size,
    some_times,
    some_times_data,
    stream_name,
    taken,
    truth,
)

Line: TypeAlias = dict[str, Any]

_SIZES = ("valid_bytes", "raw_bytes")


def _as_it_is(value: Any) -> Any:
    return value


def _hex(value: bytes) -> str:
    return value.hex()


def _short_name(value: Any) -> str:
    return value if value in (MADE_SHORT_NAME, NO_SHORT_NAME) else file_name(value)


# How a trait is written and read follows from its type; of numbers, the declaration says how large they are.
_BY_TYPE: list[tuple[Any, Callable[[Any], Any], Value]] = [
    (bytes | None, _hex, hex_bytes),
    (str | None, _as_it_is, _short_name),
    (bool | None, _as_it_is, truth),
    (SomeTicks | None, some_times_data, some_times),
]


def _rule(name: str, kind: Any) -> tuple[Callable[[Any], Any], Value]:
    if kind == int | None:
        return _as_it_is, integer(0, (1 << INFORMATION_BITS[name]) - 1)
    return next((write, read) for known, write, read in _BY_TYPE if known == kind)


_RULES = {name: _rule(name, kind) for name, kind in get_type_hints(Traits).items()}
_TRAITS: Fields = {name: (read, None) for name, (_, read) in _RULES.items()}


def features_data(features: Features, content_data: Callable[[Content], Line]) -> Line:
    """Features as JSON's types, without those that are not given."""
    line: Line = {}
    for name, value in features.traits._asdict().items():
        if value is not None:
            line[name] = _RULES[name][0](value)
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

    other_fields: Fields = {
        "form": (one_of(*FORMS), None),
        **dict.fromkeys(_SIZES, (size, None)),
        "streams": (streams, ()),
        "file_key": (hex_bytes, None),
        "linked": (truth, False),
    }

    def features(value: Any) -> Features:
        values = taken(mapping(value), _TRAITS | other_fields)
        traits = Traits(**{name: values.pop(name) for name in _TRAITS})
        found = Features(NO_TRAITS if traits == NO_TRAITS else traits, **values)
        return NO_FEATURES if found == NO_FEATURES else found

    return features
