"""Resource claims of a SACL: as text, and as CLAIM_SECURITY_ATTRIBUTE_RELATIVE_V1.

`specs/ondisk/security.md` has the layout.
"""

from __future__ import annotations

import itertools
import re
import struct

from ntfsbuild.ondisk.sddl_words import IN_QUOTES, Scanner, escaped, sid_text, unescaped
from ntfsbuild.ondisk.security_descriptor import sid_bytes

_HEAD = struct.Struct("<IHHII")
_TYPES = {"TI": 0x01, "TU": 0x02, "TS": 0x03, "TD": 0x05, "TX": 0x10, "TB": 0x06}
_WORDS = {code: word for word, code in _TYPES.items()}
_TYPE = re.compile("|".join(_TYPES), re.IGNORECASE)
_TEXT = re.compile(r'"([^"\0]*)"')
_OCTETS = re.compile(r"#?((?:[0-9A-Fa-f]{2})*)(?![0-9A-Fa-f])")
_MOST_TEXT = 1 << 20  # Many values may lie in one place.


def parse_claim(scanner: Scanner) -> bytes:
    """The claim in parentheses that stands here: a name, a type, flags and values."""
    scanner.skip_spaces()
    scanner.expect("(")
    name = _string(scanner)
    scanner.expect(",")
    scanner.skip_spaces()
    found = scanner.matches(_TYPE)
    if not found:
        scanner.wrong(f"one of {', '.join(_TYPES)} was expected, {scanner.here()} found")
    word = found[0].upper()
    scanner.skip_spaces()
    scanner.expect(",")
    scanner.skip_spaces()
    flags, _, _ = scanner.number(0, 0xFFFFFFFF)
    scanner.skip_spaces()
    values = []
    while scanner.takes(","):
        values.append(_value(scanner, word))
    scanner.expect(")")
    return _packed(name, _TYPES[word], flags, values)


def _packed(name: bytes, code: int, flags: int, values: list[bytes]) -> bytes:
    """As Windows lays it out: the name behind the offsets, then the values, nothing between them."""
    parts = (name, *values)
    name_at, *offsets = itertools.accumulate(map(len, parts[:-1]), initial=_HEAD.size + 4 * len(values))
    head = _HEAD.pack(name_at, code, 0, flags, len(values))
    return head + struct.pack(f"<{len(values)}I", *offsets) + b"".join(parts)


def _string(scanner: Scanner) -> bytes:
    scanner.skip_spaces()
    found = scanner.matches(_TEXT)
    if not found:
        scanner.wrong(f"a text in quotation marks was expected, {scanner.here()} found")
    value = unescaped(found[1])
    if "\0" in value.decode("utf-16-le", "surrogatepass"):
        scanner.wrong("a text of a claim ends where %0000 stands", found.start())
    scanner.skip_spaces()
    return value + bytes(2)


def _value(scanner: Scanner, word: str) -> bytes:
    if word == "TS":
        return _string(scanner)
    scanner.skip_spaces()
    if word == "TI":
        value = scanner.number(-(1 << 63), (1 << 63) - 1)[0].to_bytes(8, "little", signed=True)
    elif word in ("TU", "TB"):
        value = scanner.number(0, 1 if word == "TB" else (1 << 64) - 1)[0].to_bytes(8, "little")
    elif word == "TD":
        sid = scanner.sid()
        value = len(sid).to_bytes(4, "little") + sid
    else:
        found = scanner.matches(_OCTETS)
        if not found:
            scanner.wrong(f"hexadecimal digits in pairs were expected, {scanner.here()} found")
        octets = bytes.fromhex(found[1])
        value = len(octets).to_bytes(4, "little") + octets
    scanner.skip_spaces()
    return value


# ---------------------------------------------------------------------- to text


def claim_text(data: bytes) -> str:
    """The text of a claim, in parentheses; raises ValueError where it is damaged."""
    if len(data) < _HEAD.size:
        raise ValueError(f"a claim of {len(data)} bytes")
    name_at, code, _, flags, count = _HEAD.unpack_from(data)
    if code not in _WORDS:
        raise ValueError(f"a claim of the type {code:#x}")
    if _HEAD.size + 4 * count > len(data):
        raise ValueError(f"a claim of {count} values in {len(data)} bytes")
    offsets = struct.unpack_from(f"<{count}I", data, _HEAD.size)
    fields = [_string_text(data, name_at), _WORDS[code], f"0x{flags:x}"]
    room = _MOST_TEXT
    for at in offsets:
        fields.append(_value_text(data, at, _WORDS[code]))
        room -= len(fields[-1])
        if room < 0:
            raise ValueError(f"a claim of more than {_MOST_TEXT} characters")
    return f"({','.join(fields)})"


def _string_text(data: bytes, at: int) -> str:
    end = at
    while data[end : end + 2] != b"\0\0":
        end += 2
        if end + 2 > len(data):
            raise ValueError(f"the text at {at:#x} of a claim does not end")
    return f'"{escaped(data[at:end], IN_QUOTES)}"'


def _value_text(data: bytes, at: int, word: str) -> str:
    if word == "TS":
        return _string_text(data, at)
    if word in ("TI", "TU", "TB"):
        if at + 8 > len(data):
            raise ValueError(f"the number at {at:#x} of a claim does not end")
        value = int.from_bytes(data[at : at + 8], "little", signed=word == "TI")
        if word == "TB" and value > 1:
            raise ValueError(f"a claim is true or false, found {value}")
        return str(value)
    size = int.from_bytes(data[at : at + 4], "little")
    begin, end = at + 4, at + 4 + size
    if end > len(data):
        raise ValueError(f"the value at {at:#x} of a claim does not end")
    if word == "TX":
        return data[begin:end].hex()
    if sid_bytes(data, begin, end) != size:
        raise ValueError(f"the SID at {at:#x} of a claim has {size} bytes")
    return sid_text(data[begin:end])
