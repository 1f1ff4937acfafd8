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
from functools import cache
from typing import Any, TypeAlias

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segments, TarMember
from ntfsbuild.content.problems import shown
from ntfsbuild.errors import ManifestError
from ntfsbuild.plan.feature_lines import features_data
from ntfsbuild.plan.features import Features
from ntfsbuild.plan.line_fields import NAMES, LineField, line_fields
from ntfsbuild.plan.model import Operation, Plan

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
    """One operation as JSON's types, without values that are absent; the position in the manifest is last."""
    kind: Any = type(operation)
    line: Line = {"op": NAMES[kind]}
    origin = None
    fields: tuple[LineField, ...] = _fields(kind, base)
    for (name, key, written, _, absent, always), value in zip(fields, operation, strict=True):
        if not always and (value is absent or value == absent):
            continue
        if name == "origin":
            origin = written(value)
        else:
            line[key] = written(value)
    if origin is not None:
        line["origin"] = origin
    return line


@cache
def _fields(kind: Any, base: bytes) -> tuple[LineField, ...]:
    def content(value: Content) -> Line:
        return content_data(value, base)

    def features(value: Features) -> Line:
        return features_data(value, content)

    return line_fields(kind, (content, _unread), (features, _unread))


def _unread(value: Any) -> Any:
    raise AssertionError("lines are only written here")


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
