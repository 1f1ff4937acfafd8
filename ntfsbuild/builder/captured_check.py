"""Checks that a captured manifest can be built; entries that the writer refuses are removed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ntfsbuild.builder.planning import Planning
from ntfsbuild.capturing.manifest_text import key_of_entry
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.content.model import Content, Fill, HostFile, Part, Segments
from ntfsbuild.errors import ManifestError, Problem
from ntfsbuild.executor import execute
from ntfsbuild.image.raw import NoStorage
from ntfsbuild.manifest import load
from ntfsbuild.plan.features import NO_FEATURES
from ntfsbuild.plan.model import MakeFile, Operation

_MOST_ROUNDS = 100  # Each round removes entries; hard links are removed one round after their file.
_SIZE = re.compile(r'^volume: \{"size": \d+', re.MULTILINE)
_AUTO = 'volume: {"size": "auto"'

Note = Callable[[str, str], None]


def check_captured(manifest: Path, note: Note) -> None:
    """Remove entries until the manifest can be built; each removed entry is noted with the reason."""
    for _ in range(_MOST_ROUNDS):
        try:
            _try(manifest)
            return
        except ManifestError as error:
            text = manifest.read_text("utf-8")
            too_small = next((one for one in error.problems if one.path == "volume: size"), None)
            if too_small:
                mended = _SIZE.sub(_AUTO, text, count=1)
                note("/$Bitmap", f"its size cannot be expressed, the smallest is taken: {too_small.message}")
            else:
                mended = "".join(_without(text.splitlines(keepends=True), error, note))
            if mended == text:
                note("/", f"the manifest cannot be built: {error}")
                return
        manifest.write_text(mended, "utf-8", newline="")


def _try(manifest: Path) -> None:
    """Do everything that a build does, but read no contents and keep no image."""
    with garbage_collector_at_rest():
        plan = Planning(load(manifest), "replace", (), None).plan(None)
        execute(plan._replace(operations=map(_emptied, plan.operations)), NoStorage())


def _emptied(operation: Operation) -> Operation:
    """The same operation with zeros as content: it takes the same records and, except for holes, clusters."""
    if not isinstance(operation, MakeFile):
        return operation
    features = operation.features
    if features is not NO_FEATURES and features.streams:
        streams = tuple(one._replace(content=_zeros(one.content)) for one in features.streams)
        features = features._replace(streams=streams)
    return operation._replace(content=_zeros(operation.content), features=features)


def _zeros(content: Content) -> Content:
    if isinstance(content, Segments):
        parts = (one._replace(content=_zeros_of_part(one.content)) for one in content.parts)
        return content._replace(parts=tuple(parts))
    return _zeros_of_part(content)


def _zeros_of_part(content: Part) -> Part:
    if isinstance(content, HostFile):  # Written by the capture itself: no need to open it.
        return Fill(os.stat(content.path).st_size, None)
    return content


def _without(lines: list[str], error: ManifestError, note: Note) -> Iterator[str]:
    """The lines without the entries that have problems."""
    at_line: dict[int, Problem] = {}
    for problem in error.problems:
        at_line.setdefault(problem.mark.line - 1, problem)
    number = 0
    while number < len(lines):
        key = key_of_entry(lines[number]) if lines[number].startswith("  ") else None
        end = number + 1
        while key is not None and end < len(lines) and key_of_entry(lines[end]) is None:
            end += 1
        found = next((at_line[one] for one in range(number, end) if one in at_line), None)
        if key is None or found is None:
            yield from lines[number:end]
        else:
            note("/" if key == "." else f"/{key.rstrip('/')}", f"it cannot be expressed: {found.message}")
        number = end
