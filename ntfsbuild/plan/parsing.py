"""Reads saved plans: checks the structure of every line; every fault has a position.

`judging.py` refuses operations that the compiler would not make.  The volume refuses the rest (a file that is
not on the base, no room), as for a plan that was just compiled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Part, Segment, Segments, TarMember
from ntfsbuild.errors import ManifestError, Mark, Problem
from ntfsbuild.plan import model
from ntfsbuild.plan.feature_lines import features_reader
from ntfsbuild.plan.json_lines import VERSION
from ntfsbuild.plan.judging import Judge
from ntfsbuild.plan.line_fields import NAMES, OPERATIONS, line_fields
from ntfsbuild.plan.line_values import (
    HEADER,
    REQUIRED,
    SEED_MAX,
    Fields,
    LineError,
    base64_bytes,
    digest,
    inside,
    integer,
    json_object,
    mapping,
    one_of,
    size,
    taken,
    utf8,
)
from ntfsbuild.plan.model import Operation, Plan

_PROBLEMS_MAX = 50
_CHANGES = (model.Keep, model.ReplaceFile, model.SetMetadata, model.Remove)
_ONLY_ON_A_BASE = frozenset(NAMES[kind] for kind in _CHANGES)
_STEPS = frozenset(NAMES[kind] for kind in get_args(model.Step))


def _unwritten(value: Any) -> Any:
    raise AssertionError("lines are only read here")


def manifest_name(first_line: bytes, file: str) -> str:
    """The file name of the manifest that the plan with this header came from."""
    return str(_header(first_line, file)["manifest"])


def read(
    lines: Iterable[bytes], file: str, base: bytes, confine: Confinement, judge: Judge | None = None
) -> Plan:
    """The plan in these lines, read as it is executed; `file` is its name in error messages.

    Host paths are relative to `base` and must lie inside `confine`.  A fault is raised when its line is
    reached, together with all that follow it; a `judge` finds what no compiled plan has.
    """
    numbered = enumerate(lines, 1)
    header = _header(next(numbered, (1, b""))[1], file)
    reader = _Reader(file, base, confine, judge)
    return Plan(header["manifest"], bytes.fromhex(header["digest"]), reader.operations(numbered))


def _header(line: bytes, file: str) -> dict[str, Any]:
    try:
        data = json_object(line)
        if data.get("ntfsbuild_plan") != VERSION or isinstance(data["ntfsbuild_plan"], bool):
            raise LineError(
                f'is not a plan of this version: it begins with {{"ntfsbuild_plan": {VERSION}, …}}'
            )
        return taken(data, {"ntfsbuild_plan": (integer(1, 1), 0), **HEADER})
    except LineError as fault:
        raise ManifestError([Problem(Mark(file, 1, 1), fault.path, fault.message)]) from None


class _Reader:
    """The state of reading one plan."""

    def __init__(self, file: str, base: bytes, confine: Confinement, judge: Judge | None) -> None:
        self.file = file
        self.judge = judge
        self.base = base
        self.confine = confine
        self._real_folders: dict[bytes, bytes] = {}
        self._finished = False
        self._first = ""  # The kind of the first operation.
        self._rooted = self._stepping = False
        self.content_fields: dict[str, Fields] = {
            "text": {"text": (utf8, REQUIRED)},
            "base64": {"base64": (base64_bytes, REQUIRED)},
            "fill": {
                "fill": (one_of("zero", "random"), REQUIRED),
                "size_bytes": (size, REQUIRED),
                "seed": (integer(0, SEED_MAX), None),
            },
            "source": {
                "source": (self._host_path, REQUIRED),
                "size_bytes": (size, None),
                "sha256": (digest, None),
            },
            "archive": {
                "archive": (self._host_path, REQUIRED),
                "member": (utf8, REQUIRED),
                "offset": (size, REQUIRED),
                "size_bytes": (size, REQUIRED),
                "sha256": (digest, None),
            },
            "data": {"size_bytes": (size, REQUIRED), "data": (self._segments, REQUIRED)},
        }
        content, features = (_unwritten, self._content), (_unwritten, features_reader(self._content))
        self.operation_fields: dict[str, Fields] = {
            name: {one.key: (one.read, one.absent) for one in line_fields(kind, content, features)}
            for name, kind in OPERATIONS.items()
        }
        self.operation_fields["commit"] = {}

    def operations(self, numbered: Iterable[tuple[int, bytes]]) -> Iterator[Operation]:
        """Every operation until the commit; after the first fault only faults are looked for."""
        problems: list[Problem] = []
        number = 1
        for number, line in numbered:
            try:
                operation = self._operation(line)
            except LineError as fault:
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
        data = json_object(line)
        if self._finished:
            raise LineError("nothing can follow the commit")
        kind = data.pop("op", None)
        if not isinstance(kind, str) or kind not in self.operation_fields:
            raise LineError(f"is not an operation ({', '.join(self.operation_fields)})", "op")
        self._check_order(kind, data.get("path"))
        values = taken(data, self.operation_fields[kind])
        if kind == "commit":
            return None
        operation: Operation = OPERATIONS[kind](*values.values())
        if self.judge is not None:
            self.judge.add(operation)
        return operation

    def _check_order(self, kind: str, path: Any) -> None:
        """Check the order: a format and the root, or a base; then the tree, the steps, a commit."""
        first, rooted, stepping = self._first, self._rooted, self._stepping
        self._first = first or (kind if kind in ("format", "base") else "format")
        self._finished = kind == "commit"
        self._stepping = stepping or kind in _STEPS
        self._rooted = rooted or kind != "format"
        if (kind in ("format", "base")) == bool(first):
            raise LineError("there is one format, or base, and it comes first", "op")
        if stepping and not self._stepping_on(kind):
            raise LineError("the tree comes before the steps", "op")
        if self._first == "base":
            return
        is_root = kind == "directory" and path == "/"
        if kind != "format" and is_root == rooted:
            raise LineError("the directory / is there once, right behind the format", "op")
        if kind in _ONLY_ON_A_BASE:
            raise LineError("belongs to a plan that changes a base", "op")

    def _stepping_on(self, kind: str) -> bool:
        return kind in _STEPS or kind == "commit"

    def _content(self, value: Any) -> Content:
        if isinstance(value, dict) and "data" in value:
            data = taken(value, self.content_fields["data"])
            return Segments(data["size_bytes"], data["data"])
        return self._part(value)

    def _part(self, value: Any) -> Part:
        kinds = [kind for kind in self.content_fields if kind != "data" and kind in mapping(value)]
        if len(kinds) != 1:
            raise LineError("is not a content (one of text, base64, fill, source, archive, data)")
        data = taken(value, self.content_fields[kinds[0]])
        match kinds[0]:
            case "text":
                return Inline(data["text"].encode())
            case "base64":
                return Inline(data["base64"])
            case "fill":
                if (data["fill"] == "random") != (data["seed"] is not None):
                    raise LineError("belongs to a random fill, and only to it", "seed")
                return Fill(data["size_bytes"], data["seed"])
            case "source":
                return HostFile(data["source"], data["size_bytes"], data["sha256"])
            case _:
                return TarMember(*data.values())

    def _segments(self, value: Any) -> tuple[Segment, ...]:
        if not isinstance(value, list):
            raise LineError("is not a list")
        return tuple(inside(index, self._segment, each) for index, each in enumerate(value))

    def _segment(self, value: Any) -> Segment:
        part = dict(mapping(value))
        if "at" not in part:
            raise LineError("is missing", "at")
        at = inside("at", size, part.pop("at"))
        return Segment(at, self._part(part))

    def _host_path(self, value: Any) -> bytes:
        """The real path: only the last part may be a link, and that one is not followed when opened."""
        path = os.path.join(self.base, utf8(value).encode())
        if b"\0" in path:
            raise LineError("is not a path")
        folder, name = os.path.split(path)
        if name in (b"", b".", b".."):
            raise LineError("is not the path of a file")
        try:
            real = self._real_folders.get(folder)
            if real is None:
                real = self._real_folders[folder] = self.confine.check(folder)
        except ManifestError as fault:
            raise LineError(str(fault)) from None
        return os.path.join(real, name)
