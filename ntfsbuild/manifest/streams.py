"""Named streams: the mapping under `streams`."""

from __future__ import annotations

from ntfsbuild.content.model import EMPTY, Inline
from ntfsbuild.manifest.feature_specs import EncryptedRaw, StreamSpec
from ntfsbuild.manifest.file_content import outline, read_content
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.paths import parse_stream_name
from ntfsbuild.manifest.storage import read_storage
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.ondisk import upcase


def read_streams(values: Values, node: Node, *, ciphertext: bool) -> dict[str, StreamSpec] | None:
    """The streams in the manifest's order; with `ciphertext`, they may be those of an encrypted file."""
    if not values.has(node, "streams"):
        return None
    found: dict[str, StreamSpec] = {}
    seen: dict[str, str] = {}
    for name, one in values.entries(values.child(node, "streams")):
        if len(values.problems) >= PROBLEMS_MAX:
            break
        try:
            parse_stream_name(name)
        except ValueError as error:
            values.say_of_key(one, str(error))
            continue
        there = seen.setdefault(upcase.upper(name), name)
        if there != name:
            values.say_of_key(one, f"{there} is there already, and case makes no difference")
        found[name] = read = _read_stream(values, one)
        if read.plain_bytes is not None and not ciphertext:
            values.say_of_key(values.child(one, "encrypted"), "its file has no ciphertext (encrypted: {efs})")
    return found


def _read_stream(values: Values, node: Node) -> StreamSpec:
    position = values.document.positions[node.at - 1]
    if isinstance(node.data, str):
        return StreamSpec(Inline(node.data.encode()), position)
    if node.data is None or not values.check("stream_content", outline(node)):
        return StreamSpec(EMPTY, position)
    content, sha256 = read_content(values, node)
    storage = read_storage(values, node, content)
    assert storage.sparse != "auto"
    encrypted = storage.encrypted
    plain_bytes = encrypted.size_bytes if isinstance(encrypted, EncryptedRaw) else None
    return StreamSpec(
        content, position, storage.sparse, storage.compressed, storage.valid_bytes, sha256, plain_bytes
    )
