"""Tars written byte by byte: what no well-meaning program writes."""

from __future__ import annotations

END = bytes(1024)


def octal(value: int, length: int = 12) -> bytes:
    return b"%0*o\0" % (length - 1, value)


def base256(value: int, length: int = 12) -> bytes:
    """A number as GNU tar writes those that octal digits have no room for."""
    raw = bytearray((value % (1 << 8 * length)).to_bytes(length, "big"))
    raw[0] |= 0x80
    return bytes(raw)


def header(
    name: bytes, size: int | bytes = 0, kind: bytes = b"0", fields: dict[int, bytes] | None = None
) -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:136] = octal(size) if isinstance(size, int) else size
    block[136:148] = octal(0)
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    for at, value in (fields or {}).items():
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(
    name: bytes, data: bytes = b"", kind: bytes = b"0", fields: dict[int, bytes] | None = None
) -> bytes:
    return header(name, len(data), kind, fields) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """A record of a PAX header, whose length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return member(b"pax", b"".join(record(*one) for one in records), kind)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return member(b"././@LongLink", name + b"\0", kind)
