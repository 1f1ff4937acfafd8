"""Reads the content of a file's description."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ntfsbuild.content.model import EMPTY, SIZE_MAX, Content, Fill, HostFile, Inline, Segment, Segments
from ntfsbuild.manifest.integers import parse_integer
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.paths import parse_host_path
from ntfsbuild.manifest.sizes import parse_size
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import quoted, shown
from ntfsbuild.named_tuple import NamedTuple

Piece: TypeAlias = Inline | Fill | HostFile

_PLENTIFUL = frozenset(["data", "streams", "ea"])
_BYTE_ORDER_MARK = b"\xff\xfe"
_NOT_HEX = re.compile(r"[^0-9A-Fa-f\s]")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


def outline(node: Node) -> Node:
    """A description without the items of long lists, which are checked one by one."""
    data = node.data
    if not isinstance(data, dict) or _PLENTIFUL.isdisjoint(data):
        return node
    return node._replace(
        data={key: _emptied(value) if key in _PLENTIFUL else value for key, value in data.items()}
    )


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, dict | list) else value


def read_content(values: Values, node: Node) -> tuple[Content, bytes | None]:
    """The content that a file's mapping describes, and the SHA-256 that it must have, if one is given."""
    sha256 = values.read(node, "sha256", parse_sha256)
    if values.has(node, "data"):
        return _read_segments(values, node), sha256
    content = _read_piece(values, node, sha256)
    if sha256 is not None and isinstance(content, Inline):
        found = hashlib.sha256(content.data)
        if found.digest() != sha256:
            values.say(values.child(node, "sha256"), f"the content's SHA-256 is {found.hexdigest()}")
    return EMPTY if content is None else content, sha256


def parse_hex(text: str) -> bytes:
    """Bytes in hex digits, white space aside."""
    wrong = _NOT_HEX.search(text)
    if wrong:
        raise ValueError(f"{quoted(wrong[0])} is not a hex digit")
    digits = "".join(text.split())
    if len(digits) % 2:
        raise ValueError(f"{len(digits)} hex digits are not whole bytes: two make a byte")
    return bytes.fromhex(digits)


def parse_base64(text: str) -> bytes:
    """Bytes in base64, white space aside; padding is not left out."""
    letters = "".join(text.split())
    if not _BASE64.fullmatch(letters):
        raise ValueError(f'{shown(text)} is not base64 (A-Z a-z 0-9 + /, padded with "=")')
    data = binascii.a2b_base64(letters)
    if binascii.b2a_base64(data, newline=False).decode() != letters:
        raise ValueError(f"{shown(text)} is not base64: its last letter has bits that belong to no byte")
    return data


def parse_sha256(text: str) -> bytes:
    """A SHA-256 in hex."""
    if not _SHA256.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a SHA-256 (64 hex digits)")
    return bytes.fromhex(text)


def parse_text(encoding: str) -> Callable[[str], bytes]:
    """A parser of text in an encoding."""

    def parse(text: str) -> bytes:
        try:
            if encoding == "utf-16":  # Python's own would follow the machine's byte order.
                return _BYTE_ORDER_MARK + text.encode("utf-16le")
            return text.encode(encoding)
        except UnicodeEncodeError as error:
            character = text[error.start]
            name = f"{quoted(character)} (U+{ord(character):04X}, character {error.start + 1})"
            raise ValueError(f"{name} does not exist in {encoding}") from None

    return parse


def _read_piece(values: Values, node: Node, sha256: bytes | None = None) -> Piece | None:
    """One content, None if it is wrong; the schema check has refused two contents."""
    data = node.data
    if values.has(node, "source"):
        path = values.read(node, "source", parse_host_path)
        return None if path is None else HostFile(path, None, sha256)
    if values.has(node, "size"):
        size_bytes = values.read(node, "size", parse_size)
        seed = values.read(node, "seed", parse_integer(64)) or 0
        return (
            None if size_bytes is None else Fill(size_bytes, seed if data.get("fill") == "random" else None)
        )
    inline = read_bytes(values, node)
    return None if inline is None else Inline(inline)


def read_bytes(values: Values, node: Node) -> bytes | None:
    """The bytes of `text`, `hex` or `base64`; None if the value is wrong, empty if no key is given."""
    if values.has(node, "text"):
        encoding = node.data["encoding"] if values.has(node, "encoding") else "utf-8"
        return values.read(node, "text", parse_text(encoding))
    if values.has(node, "hex"):
        return values.read(node, "hex", parse_hex)
    return values.read(node, "base64", parse_base64) if values.has(node, "base64") else b""


class _Part(NamedTuple):
    at: int
    number: int  # In the manifest's order.
    length: int  # 0 if it must be asked from the host.
    content: Piece
    node: Node


def _read_segments(values: Values, node: Node) -> Segments:
    """The pieces in ascending order; they must not overlap, or end after the file."""
    count = len(values.problems)
    size_bytes = values.read(node, "size", parse_size)
    parts = []
    for number, piece in enumerate(values.items(values.child(node, "data"))):
        if not values.check("segment", piece):
            continue
        at = values.read(piece, "at", parse_size)
        content = _read_piece(values, piece)
        if at is None or content is None:
            continue
        if isinstance(content, HostFile) and "size" not in node.data:
            values.say(values.child(piece, "source"), "a piece from a source needs size beside data")
        parts.append(_Part(at, number, _length(content), content, piece))
    parts.sort(key=lambda part: (part.at, part.number))
    end = _check_parts(values, parts, size_bytes) if len(values.problems) == count else 0
    segments = (Segment(part.at, part.content) for part in parts if not _is_empty(part.content))
    return Segments(end if size_bytes is None else size_bytes, tuple(segments))


def _check_parts(values: Values, parts: list[_Part], size_bytes: int | None) -> int:
    """Refuse pieces that overlap or end after the file; return the end of the last one."""
    end, before = 0, 0
    for part in parts:
        part_end = part.at + part.length
        if part.at < end and not _is_empty(part.content):
            values.say(
                values.child(part.node, "at"), f"the piece lies over data[{before}], which ends at {end}"
            )
        if part_end > (SIZE_MAX if size_bytes is None else size_bytes):
            limit = "what NTFS can hold" if size_bytes is None else f"the file's size of {size_bytes}"
            values.say(values.child(part.node, "at"), f"the piece ends at {part_end}, beyond {limit}")
        if part_end > end:
            end, before = part_end, part.number
    return end


def _length(content: Piece) -> int:
    match content:
        case Inline():
            return len(content.data)
        case Fill():
            return content.size_bytes
        case _:
            return 0


def _is_empty(content: Piece) -> bool:
    return _length(content) == 0 and not isinstance(content, HostFile)
