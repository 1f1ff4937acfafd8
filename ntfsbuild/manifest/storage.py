"""The storage of a stream: sparse, compressed, encrypted, and its valid data length."""

from __future__ import annotations

from typing import Literal

from ntfsbuild.content.model import Content, Fill, Inline, Segments, TarMember
from ntfsbuild.manifest.feature_specs import EncryptedRaw, EncryptTo
from ntfsbuild.manifest.file_content import read_content
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.paths import parse_host_path
from ntfsbuild.manifest.sizes import parse_size
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.named_tuple import NamedTuple

STORAGE_KEYS = ("sparse", "compressed", "encrypted", "valid_data")
_FORMS = frozenset(["sparse", "compressed", "encrypted"])


class StorageSpec(NamedTuple):
    """The values of the `STORAGE_KEYS`."""

    sparse: bool | Literal["auto"] | None = None
    compressed: bool | None = None
    encrypted: EncryptTo | EncryptedRaw | Literal[False] | None = None
    valid_bytes: int | None = None


def read_storage(values: Values, node: Node, content: Content | None = None) -> StorageSpec:
    """The storage keys of a mapping; `content` None: it is not known."""
    data = node.data
    said = [key for key in data if key in _FORMS and data[key] is not False and values.has(node, key)]
    if data.get("sparse") is True and set(said) == {"sparse", "compressed"}:
        said = []  # The only pair that NTFS allows.
    for key in said[1:]:
        values.say_of_key(values.child(node, key), f"what is {said[0]} cannot be {key}")
    valid_bytes = values.read(node, "valid_data", parse_size)
    size_bytes = None if content is None else _size_of(content)
    if valid_bytes is not None and size_bytes is not None and valid_bytes > size_bytes:
        values.say(
            values.child(node, "valid_data"),
            f"{valid_bytes} is more than the {size_bytes} bytes of the content",
        )
    return StorageSpec(
        values.read(node, "sparse", _parse_sparse),
        data["compressed"] if values.has(node, "compressed") else None,
        _read_encrypted(values, node),
        valid_bytes,
    )


def _parse_sparse(value: bool | str) -> bool | Literal["auto"]:
    if isinstance(value, bool):
        return value
    if value == "auto":
        return "auto"
    raise ValueError(f"{shown(value)} is not true, false or auto")


def _size_of(content: Content) -> int | None:
    match content:
        case Inline():
            return len(content.data)
        case Fill() | Segments() | TarMember():
            return content.size_bytes
        case _:
            return content.size_bytes


def _read_encrypted(values: Values, node: Node) -> EncryptTo | EncryptedRaw | Literal[False] | None:
    if not values.has(node, "encrypted"):
        return None
    encrypted = values.child(node, "encrypted")
    if encrypted.data is False:
        return False
    if encrypted.data is True:
        values.say(encrypted, "true is not {to: certificate} or false")
    elif values.has(encrypted, "to"):
        return EncryptTo(_read_paths(values, encrypted, "to"), _read_paths(values, encrypted, "recovery"))
    elif values.has(encrypted, "efs"):
        efs, _ = read_content(values, values.child(encrypted, "efs"))
        return EncryptedRaw(efs, values.read(encrypted, "size", parse_size) or 0)
    elif values.has(encrypted, "size"):
        return EncryptedRaw(None, values.read(encrypted, "size", parse_size) or 0)
    elif {"to", "efs"}.isdisjoint(encrypted.data):
        values.say(encrypted, "something is missing: to (a certificate), or efs and size")
    return None


def _read_paths(values: Values, node: Node, key: str) -> tuple[bytes, ...]:
    """One path, or a list of some."""
    if not values.has(node, key):
        return ()
    child = values.child(node, key)
    nodes = [child] if isinstance(child.data, str) else values.items(child)
    return tuple(path for one in nodes if (path := values.parse(one, parse_host_path)) is not None)
