"""Loads a manifest file: runs all stages, and collects all problems."""

from __future__ import annotations

import os

from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.content.file_kinds import head_of, refuse_other_than_manifest
from ntfsbuild.content.host_file import open_given
from ntfsbuild.errors import HostError, ManifestError, Mark, Problem
from ntfsbuild.manifest.clock import read_clock
from ntfsbuild.manifest.descriptors import Descriptors
from ntfsbuild.manifest.features import FeatureReader
from ntfsbuild.manifest.metadata import read_defaults
from ntfsbuild.manifest.model import Defaults, Manifest
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.schema import schema_words
from ntfsbuild.manifest.source import Data, Document, read_document
from ntfsbuild.manifest.steps import read_steps
from ntfsbuild.manifest.tree import TreeReader, digest_of
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.manifest.volume import read_volume


def load_file(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Manifest:
    """Read and check a manifest; messages have its path as given."""
    file = os.fsdecode(path)
    try:
        with os.fdopen(open_given(path, "a manifest"), "rb") as stream:
            refuse_other_than_manifest(head_of(stream), file)  # An image may be larger than the memory.
            source = stream.read()
    except OSError as error:
        raise HostError(f"{file}: {error.strerror}") from None
    with garbage_collector_at_rest():
        document = read_document(source, file, _shared_words())
        del source  # It takes as much memory as the result.
        return _read_manifest(document)


def load_bytes(source: bytes, file: str) -> Manifest:
    """Check the bytes of a manifest; `file` is its name in messages."""
    with garbage_collector_at_rest():
        return _read_manifest(read_document(source, file, _shared_words()))


def _shared_words() -> dict[str, str]:
    return {word: word for word in schema_words()}


def _read_manifest(document: Document) -> Manifest:
    values = Values(document)
    data = document.data if isinstance(document.data, dict) else {}
    root = Node(data, 0, "")
    # Sections are checked one by one: a fault in one hides nothing in the others.
    outline = {key: _outlined(key, value) for key, value in data.items()}
    values.check("", Node(outline if data else document.data, 0, ""))
    volume = _section(values, root, "volume")
    defaults = _section(values, root, "defaults")
    clock_section = _section(values, root, "clock")
    spec = read_volume(values, volume)
    descriptors = Descriptors(values, _mapping(values, root, "descriptors"))
    features = FeatureReader(values, descriptors)
    outer = read_defaults(values, defaults, descriptors) if defaults else Defaults()
    tree, tree_digest = TreeReader(values, features).read(_mapping(values, root, "tree"))
    steps_said = data.get("steps") if isinstance(data.get("steps"), list) else None
    steps = read_steps(values, values.child(root, "steps"), features) if steps_said else ()
    clock = read_clock(values, clock_section, steps) if clock_section else None
    if values.problems:
        raise ManifestError(_abridged(values.problems))
    said = {key: value for key, value in data.items() if value}  # An empty section is like none.
    said["tree"] = tree_digest
    if steps_said:  # As a mapping, because mappings are digested in batches.
        said["steps"] = digest_of({f"{number:09}": step for number, step in enumerate(steps_said)})
    digest = bytes.fromhex(digest_of(said))
    return Manifest(document.file, digest, spec, outer, tree, clock, steps, document.size_bytes)


def _outlined(key: str, value: Data) -> Data:
    """An empty section of the same type, so that faults in later sections are found."""
    if isinstance(value, dict):
        return {"start": ""} if key == "clock" else {}  # An empty clock is an error.
    return [] if isinstance(value, list) else value


def _abridged(problems: list[Problem]) -> list[Problem]:
    """The problems, with a note if reading stopped early."""
    if len(problems) < PROBLEMS_MAX:
        return problems
    mark = max(problems).mark
    below = Mark(mark.file, mark.line + 1, 1)  # Where it is sorted after all others.
    return [
        *problems,
        Problem(below, "", f"reading stopped after {PROBLEMS_MAX} problems: there may be more"),
    ]


def _section(values: Values, root: Node, key: str) -> Node | None:
    """An existing section that is a mapping, checked against the definition of its name."""
    section = _mapping(values, root, key)
    if section:
        values.check(key, section)
    return section


def _mapping(values: Values, root: Node, key: str) -> Node | None:
    return values.child(root, key) if isinstance(root.data.get(key), dict) else None
