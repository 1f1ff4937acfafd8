"""Reads features: the keys of a description besides content, times and attributes.

links.py        hard links, and everything with a reparse point
storage.py      sparse, compressed, encrypted; streams.py: named streams
extended_attributes.py, descriptors.py, object_ids.py, integers.py
"""

from __future__ import annotations

from typing import Any, Final, Literal

from ntfsbuild.content.model import Content
from ntfsbuild.manifest.descriptors import Descriptors
from ntfsbuild.manifest.extended_attributes import read_extended_attributes, read_unix
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC, EncryptedRaw, FeatureSpec
from ntfsbuild.manifest.integers import read_integer
from ntfsbuild.manifest.links import LINK_KEYS, NO_LINK, Link, read_link
from ntfsbuild.manifest.metadata import read_other_times
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.object_ids import read_object_id
from ntfsbuild.manifest.places import Place
from ntfsbuild.manifest.storage import STORAGE_KEYS, read_storage
from ntfsbuild.manifest.streams import read_streams
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk import short_names
from ntfsbuild.ondisk.traits import INFORMATION_BITS

FEATURE_KEYS: Final = frozenset(
    [
        *LINK_KEYS,
        *STORAGE_KEYS,
        *INFORMATION_BITS,
        "streams",
        "security",
        "short_name",
        "ea",
        "unix",
        "object_id",
        "name_times",
        "entry_times",
        "case_sensitive",
    ]
)
_CONTENT_KEYS: Final = frozenset(
    ["text", "encoding", "hex", "base64", "size", "fill", "seed", "data", "source", "sha256"]
)
_ABOUT_CONTENT: Final = _CONTENT_KEYS | {*STORAGE_KEYS}
_BESIDE_HARDLINK: Final = frozenset(
    ["hardlink", "short_name", "name_times", "entry_times", "absent", *LINK_KEYS]
)


class FeatureReader:
    """Reads the features of everything in one manifest."""

    def __init__(self, values: Values, descriptors: Descriptors) -> None:
        self._values = values
        self.descriptors = descriptors

    def read(
        self, node: Node, place: Place, position: int, content: Content | None = None
    ) -> tuple[FeatureSpec, Link]:
        """The features in a mapping, and its link; `content` is that of a file."""
        if FEATURE_KEYS.isdisjoint(node.data):
            return NO_FEATURE_SPEC, NO_LINK
        values = self._values
        link = read_link(values, node, place)
        if link.key and values.has(node, link.key):
            self._check_alone(node, link, place)
        self._check_case_sensitive(node)
        storage = read_storage(values, node, content if link.has_content and place == "file" else None)
        unix = read_unix(values, node, place, link)
        numbers: dict[str, Any] = {name: read_integer(values, node, name) for name in INFORMATION_BITS}
        spec = FeatureSpec(
            position,
            read_streams(values, node, ciphertext=isinstance(storage.encrypted, EncryptedRaw)),
            *storage,
            hardlink=link.hardlink,
            symlink=link.symlink,
            reparse=link.reparse,
            reparse_directory=link.directory,
            security=self.descriptors.read(node, "security"),
            short_name=read_short_name(values, node),
            ea=read_extended_attributes(values, node, unix),
            unix=unix,
            object_id=read_object_id(values, node),
            name_times=read_other_times(values, node, "name_times"),
            entry_times=read_other_times(values, node, "entry_times"),
            case_sensitive=node.data["case_sensitive"] if values.has(node, "case_sensitive") else None,
            **numbers,
        )
        return spec, link

    def _check_alone(self, node: Node, link: Link, place: Place) -> None:
        """Refuse what cannot stand beside a link."""
        values, data = self._values, node.data
        if link.key == "hardlink":
            others = [key for key in data if key not in _BESIDE_HARDLINK and values.has(node, key)]
            message = "only short_name, name_times and entry_times go with a hard link: the file has all else"
        elif link.has_content or place in ("directory", "mkdir"):
            return
        else:
            others = [key for key in data if key in _ABOUT_CONTENT and values.has(node, key)]
            message = f"{link.key} leaves no room for content"
        for key in others:
            values.say_of_key(values.child(node, key), message)

    def _check_case_sensitive(self, node: Node) -> None:
        """Refuse other values of the two fields of $STANDARD_INFORMATION that store it."""
        for key in ("version_max", "version"):
            if key in node.data and self._values.has(node, "case_sensitive"):
                self._values.say_of_key(self._values.child(node, key), "case_sensitive says it already")


def read_short_name(values: Values, node: Node) -> str | Literal[True, False] | None:
    """The value under `short_name`: the name itself, true for one that is made, false for none."""
    return values.read(node, "short_name", _parse_short_name)


def _parse_short_name(value: str | bool) -> str | bool:
    if isinstance(value, str) and (problem := short_names.what_is_wrong(value)):
        raise ValueError(f"{shown(value)} is not a short name: {problem}")
    return value
