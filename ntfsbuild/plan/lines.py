"""A plan as JSON lines: the form in which it is printed, saved, compared and executed later.

The first line is the header, then every operation has a line, in order; the last line says `commit`, so
that a file that was cut off is noticed.  `schemas/plan.schema.json` describes each line.

Host paths below `base`, the manifest's folder, are relative to it, so that the same manifest and sources
give the same plan wherever they lie; other host paths are absolute.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any, TypeAlias

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segments, TarMember
from ntfsbuild.content.problems import shown
from ntfsbuild.errors import ManifestError, unpack_position
from ntfsbuild.ondisk.file_attributes import attribute_names
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.standard_information import TIME_NAMES, Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.feature_lines import features_data
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import (
    DeleteStep,
    Format,
    Keep,
    LabelStep,
    LinkFile,
    LinkStep,
    MakeDirectory,
    MakeFile,
    MkdirStep,
    OpenBase,
    Operation,
    Plan,
    Remove,
    RenameStep,
    ReplaceFile,
    SetMetadata,
    SetStep,
    TruncateStep,
    WriteStep,
)

VERSION = 1

Line: TypeAlias = dict[str, Any]

_compact = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "), allow_nan=False).encode
_ascii = json.JSONEncoder(ensure_ascii=True, separators=(", ", ": "), allow_nan=False).encode


def write(plan: Plan, base: bytes) -> Iterator[str]:
    """The lines of a plan, each with its line feed; `base` is the real path of the manifest's folder."""
    header = {
        "ntfsbuild_plan": VERSION,
        "manifest": os.path.basename(plan.manifest_file),
        "digest": plan.manifest_digest.hex(),
    }
    yield _text(header)
    for operation in plan.operations:
        yield _text(as_data(operation, base))
    yield _text({"op": "commit"})


def as_data(operation: Operation, base: bytes) -> Line:
    """One operation as JSON's types."""
    match operation:
        case MakeFile(path, content, times, attributes, origin, features):
            line: Line = {"op": "file", "path": path, "content": content_data(content, base)}
            line |= {"times": _times(times), "attributes": attribute_names(attributes)}
            line |= _features(features, base)
        case MakeDirectory(path, times, attributes, posix_names, origin, features):
            line = {"op": "directory", "path": path}
            line |= {"times": _times(times), "attributes": attribute_names(attributes)}
            line |= ({"posix_names": True} if posix_names else {}) | _features(features, base)
        case Format(origin=origin):
            line = {"op": "format", **operation._asdict()}
            line["serial"] = f"{operation.serial:#018x}"
            line["times"] = _times(operation.times)
            for name in ("origin", "object_id", "short_names"):
                del line[name]
            line |= {"object_id": operation.object_id.hex()} if operation.object_id else {}
            line |= {"short_names": True} if operation.short_names else {}
        case _:
            line, origin = _other_data(operation, base), operation.origin
    if origin:
        line["origin"] = "{}:{}".format(*unpack_position(origin))
    return line


# Operations whose fields are written as they are, by name; what says nothing is left out.
OTHER_NAMES: dict[type[Any], str] = {
    OpenBase: "base",
    LinkFile: "hardlink",
    Keep: "keep",
    ReplaceFile: "replace",
    SetMetadata: "metadata",
    Remove: "remove",
    WriteStep: "write",
    TruncateStep: "truncate",
    RenameStep: "rename",
    LinkStep: "link",
    DeleteStep: "delete",
    MkdirStep: "mkdir",
    SetStep: "set",
    LabelStep: "label",
}
_FIELD_NAMES = {"ticks": "time"}


def _other_data(operation: Any, base: bytes) -> Line:
    line: Line = {"op": OTHER_NAMES[type(operation)]}
    for name, value in operation._asdict().items():
        if name == "origin" or value is None or (value is False and name != "short_names"):
            continue
        if (name == "stream" and not value) or (name == "features" and value is NO_FEATURES):
            continue
        if name == "times" and value == (None, None, None, None):
            continue
        line[_FIELD_NAMES.get(name, name)] = _field(name, value, base)
    return line


def _field(name: str, value: Any, base: bytes) -> Any:
    match name:
        case "content":
            return content_data(value, base)
        case "times":
            return _times(value)
        case "ticks":
            return format_filetime(value)
        case "attributes":
            return attribute_names(value)
        case "serial":
            return f"{value:#018x}"
        case "object_id":
            return value.hex()
        case "features":
            return features_data(value, lambda content: content_data(content, base))
    return value


def _features(features: Features, base: bytes) -> Line:
    if features is NO_FEATURES or features == NO_FEATURES:
        return {}
    return {"features": features_data(features, lambda content: content_data(content, base))}


def content_data(content: Content, base: bytes) -> Line:
    """A content as JSON's types; its keys are those of the manifest where both have the thing."""
    match content:
        case Inline(data):
            return _inline(data)
        case Fill(size, None):
            return {"size_bytes": size, "fill": "zero"}
        case Fill(size, seed):
            return {"size_bytes": size, "fill": "random", "seed": seed}
        case HostFile(path, size, sha256):
            line: Line = {"source": _host_path(path, base)}
            return line | ({} if size is None else {"size_bytes": size}) | _digest(sha256)
        case TarMember(archive, name, offset, size, sha256):
            line = {
                "archive": _host_path(archive, base),
                "member": name,
                "offset": offset,
                "size_bytes": size,
            }
            return line | _digest(sha256)
        case Segments(size, parts):
            pieces = [{"at": at, **content_data(part, base)} for at, part in parts]
            return {"size_bytes": size, "data": pieces}


def _inline(data: bytes) -> Line:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable() or text.translate(_WHITE).isprintable():
        return {"text": text}
    return {"base64": base64.b64encode(data).decode("ascii")}


_WHITE = dict.fromkeys(map(ord, "\t\r\n"))


def _digest(sha256: bytes | None) -> Line:
    return {} if sha256 is None else {"sha256": sha256.hex()}


def _times(times: Ticks4 | SomeTicks) -> str | Line:
    """One text when the four are the same, as they mostly are; those that are not said are left out."""
    if times[0] == times[1] == times[2] == times[3] and times[0] is not None:
        return format_filetime(times[0])
    named = zip(TIME_NAMES, times, strict=True)
    return {name: format_filetime(ticks) for name, ticks in named if ticks is not None}


def _host_path(path: bytes, base: bytes) -> str:
    below = base.rstrip(b"/") + b"/"
    try:
        return (path[len(below) :] if path.startswith(below) else path).decode()
    except UnicodeDecodeError:
        raise ManifestError(f"{shown(path)} has a name that is not UTF-8: a plan cannot hold it") from None


def _text(line: Line) -> str:
    text = _compact(line)
    # JSON has escapes for half a surrogate pair, which POSIX names on NTFS may hold; UTF-8 has none.
    return (text if text.isascii() or _is_utf8(text) else _ascii(line)) + "\n"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
