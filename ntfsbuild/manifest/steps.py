"""The `steps` section: operations on the complete tree, in order."""

from __future__ import annotations

from itertools import islice
from typing import Final

from ntfsbuild.content.model import HostFile
from ntfsbuild.manifest.features import FEATURE_KEYS, FeatureReader, read_short_name
from ntfsbuild.manifest.file_content import outline, read_content
from ntfsbuild.manifest.metadata import parse_attributes, parse_time, read_times
from ntfsbuild.manifest.model import (
    DeleteStepSpec,
    LabelStepSpec,
    LinkStepSpec,
    MkdirStepSpec,
    RenameStepSpec,
    SetStepSpec,
    Step,
    Times,
    TouchStepSpec,
    TruncateStepSpec,
    WriteStepSpec,
)
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.paths import parse_path, parse_place, parse_stream_name
from ntfsbuild.manifest.sizes import parse_size
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.manifest.volume import parse_label
from ntfsbuild.manifest.words import listed, nearest, quoted

OPERATIONS: Final = (
    "write",
    "append",
    "truncate",
    "rename",
    "link",
    "delete",
    "mkdir",
    "touch",
    "set",
    "label",
)
_LOOKED_AT_MAX: Final = 20  # Keys that may be a misspelled operation.
_CONTENTS: Final = frozenset(["text", "hex", "base64", "size", "source"])
_SETTINGS: Final = FEATURE_KEYS | {"attributes", "times"}


def read_steps(values: Values, steps: Node, features: FeatureReader) -> tuple[Step, ...]:
    """The steps of a list, in order; those that are wrong are left out, and are problems."""
    found = []
    for node in values.items(steps):
        if len(values.problems) >= PROBLEMS_MAX:
            break
        operation = _operation_of(values, node)
        count = len(values.problems)
        # One definition for each operation: what goes with one is unknown to the others.
        if operation and values.check(f"{operation}_step", outline(node)):
            if len(values.problems) == count:  # Otherwise what is missing is probably misspelled.
                _check_something_is_said(values, node, operation)
            found.append(_read_step(values, node, operation, features))
    return tuple(found)


def _operation_of(values: Values, node: Node) -> str | None:
    """The one key of a step that names an operation."""
    if not isinstance(node.data, dict):
        values.check("step", node)
        return None
    first, *more = [key for key in node.data if key in OPERATIONS] or [None]
    if first is None:
        near = ((key, nearest(key, OPERATIONS)) for key in islice(node.data, _LOOKED_AT_MAX))
        key, meant = next(((key, meant) for key, meant in near if meant), ("", None))
        if meant:
            values.say_of_key(values.child(node, key), f"unknown key: did you mean {quoted(meant)}?")
        else:
            values.say(node, f"the operation is missing: {listed(OPERATIONS)}")
    for key in more:
        values.say_of_key(
            values.child(node, key or ""), f"a step has one operation, and {first} is there already"
        )
    return None if more else first


def _check_something_is_said(values: Values, node: Node, operation: str) -> None:
    """Refuse steps that write or set nothing."""
    if operation in ("write", "append") and _CONTENTS.isdisjoint(node.data):
        values.say(node, "the content is missing: text, hex, base64, size (with fill) or source")
    if operation == "set" and _SETTINGS.isdisjoint(node.data):
        values.say(node, "what to set is missing: attributes, times, security, ...")


def _read_step(values: Values, node: Node, operation: str, features: FeatureReader) -> Step:
    """A step of valid structure; placeholders replace values with problems."""
    document = values.document
    position = document.positions[document.find_key(node.data, node.at, operation)]
    ticks = values.read(node, "time", parse_time)
    if operation == "label":
        return LabelStepSpec(values.read(node, "label", parse_label) or "", ticks, position)
    parse = parse_place if operation in ("touch", "set") else parse_path
    path = values.read(node, operation, parse) or "/"
    stream = values.read(node, "stream", parse_stream_name) or ""
    match operation:
        case "truncate":
            return TruncateStepSpec(path, values.read(node, "size", parse_size) or 0, stream, ticks, position)
        case "rename":
            replace = node.data.get("replace") is True
            return RenameStepSpec(path, values.read(node, "to", parse_path) or "/", replace, ticks, position)
        case "link":
            short_name = read_short_name(values, node) or None
            return LinkStepSpec(path, values.read(node, "to", parse_path) or "/", ticks, position, short_name)
        case "delete":
            return DeleteStepSpec(path, stream, node.data.get("recursive") is True, ticks, position)
        case "mkdir":
            attributes = values.read(node, "attributes", parse_attributes)
            spec, _ = features.read(node, "mkdir", position)
            return MkdirStepSpec(path, attributes, _read_times(values, node), ticks, position, spec)
        case "touch":
            return TouchStepSpec(path, _read_times(values, node) or Times(), ticks, position)
        case "set":
            attributes = values.read(node, "attributes", parse_attributes)
            spec, _ = features.read(node, "set", position)
            if path == "/" and spec.short_name is not None:
                values.say_of_key(values.child(node, "short_name"), "the root directory has no short name")
            return SetStepSpec(path, attributes, _read_times(values, node), ticks, position, spec)
        case _:
            return _read_write(values, node, path, stream, ticks, position)


def _read_write(
    values: Values, node: Node, path: str, stream: str, ticks: int | None, position: int
) -> WriteStepSpec:
    at = None if "append" in node.data else values.read(node, "at", parse_size) or 0
    content, sha256 = read_content(values, node)
    source = position
    if isinstance(content, HostFile):
        source = values.document.positions[values.child(node, "source").at]
    return WriteStepSpec(path, at, content, stream, sha256, ticks, position, source)


def _read_times(values: Values, node: Node) -> Times | None:
    times = read_times(values, node)
    if isinstance(times, str):
        values.say(values.child(node, "times"), "a step has no source to take times from")
        return None
    return times
