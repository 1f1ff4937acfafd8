"""Changes to inputs that know their structure, so that most of them get past the first check."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

NUMBERS = (
    0,
    1,
    -1,
    2,
    511,
    512,
    4095,
    4096,
    4097,
    65535,
    65536,
    1 << 31,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    1 << 64,
)
TEXTS = (
    "", ".", "..", "/", "a", "A", "a.", "a ", "con", "NUL.txt", "a:b", "a\\b", "\0", "\x01", "\x7f", "\u2028",
    "\ud800", "\U0001F600", "$MFT", "$Extend", "k" * 255, "k" * 256, "ß", "ſ", "a/b", "/a", "/a/", "//", "*",
    "2024-01-01", "1KiB", "0x10", "no", "~", "1e400",
)  # fmt: skip
_PRINTABLE = b"{}[]:,-&*!|>'\"%@` \n\t#?0aA/.~"


def mutated_json(data: Any, rng: random.Random, times: int) -> Any:
    """Plain data with some of its nodes changed, removed, doubled or exchanged for others of it."""
    data = copy.deepcopy(data)
    for _ in range(times):
        places = list(_places(data))
        if not places:
            return data
        owner, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del owner[key]
            case 1:
                owner[key] = copy.deepcopy(_value(rng.choice(places)))
            case 2 if isinstance(owner, dict):
                owner[rng.choice([*TEXTS, str(key)])] = owner.pop(key)
            case 2:
                owner.insert(rng.randrange(len(owner) + 1), copy.deepcopy(owner[key]))
            case 3:
                owner[key] = rng.choice((None, True, False, {}, [], 0.5, "", *NUMBERS))
            case _:
                owner[key] = _changed(owner[key], rng)
    return data


def _places(data: Any) -> list[tuple[Any, Any]]:
    found, rest = [], [data]
    while rest:
        node = rest.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            found += [(node, key) for key in keys]
            rest += [node[key] for key in keys]
    return found


def _value(place: tuple[Any, Any]) -> Any:
    return place[0][place[1]]


def _changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((*NUMBERS, value + 1, value - 1, value ^ 1 << rng.randrange(64), -value))
    if isinstance(value, str):
        text = rng.choice(TEXTS)
        at = rng.randrange(len(value) + 1)
        return rng.choice((text, value[:at] + text + value[at:], value[:at], value.upper(), value + value))
    return rng.choice((None, "", 0, []))


def mutated_lines(data: bytes, rng: random.Random) -> bytes:
    """A saved plan: one JSON object a line; lines are changed, exchanged, doubled and left out."""
    lines = data.splitlines()
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0 if len(lines) > 2:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines) + 1), lines[at])
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                try:
                    lines[at] = json.dumps(mutated_json(json.loads(lines[at]), rng, 1)).encode()
                except ValueError:
                    continue
    return b"\n".join(lines) + b"\n"


def mutated_text(data: bytes, rng: random.Random) -> bytes:
    """A manifest as text: whole lines, words and characters."""
    for _ in range(rng.randrange(1, 4)):
        lines = data.split(b"\n")
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines) + 1), lines[at])
            case 2:
                lines[at] = b" " * rng.randrange(12) + lines[at].lstrip()
            case 3:
                word = rng.choice((*TEXTS, *map(str, NUMBERS))).encode("utf-8", "surrogatepass")
                before, separator, _ = lines[at].partition(b": ")
                lines[at] = before + (separator or b": ") + word
            case 4:
                lines[at] = lines[at] * rng.choice((2, 3, 50))
            case _:
                cut = rng.randrange(len(lines[at]) + 1)
                lines[at] = (
                    lines[at][:cut] + bytes([rng.choice(_PRINTABLE)]) + lines[at][cut + rng.randrange(2) :]
                )
        data = b"\n".join(lines)
    return data


def mutated_tar(data: bytes, rng: random.Random) -> bytes:
    """A tar: fields of headers, with checksums that are right again, and whole blocks."""
    blocks = [bytearray(data[at : at + 512].ljust(512, b"\0")) for at in range(0, len(data), 512)]
    fields = ((0, 100), (100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8),
              (329, 8), (337, 8), (345, 155), (386, 24), (482, 1), (483, 12), (0, 512))  # fmt: skip
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(blocks))
        match rng.randrange(6):
            case 0:
                blocks.insert(rng.randrange(len(blocks) + 1), bytearray(blocks[at]))
            case 1 if len(blocks) > 3:
                del blocks[at]
            case _:
                begin, length = rng.choice(fields)
                blocks[at][begin : begin + length] = _field(blocks[at][begin : begin + length], rng)
                _sign(blocks[at])
    return b"".join(blocks)


def _field(old: bytearray, rng: random.Random) -> bytes:
    length = len(old)
    if length == 1:
        return bytes([rng.choice(b"\x00\x0101234567gxLKSVXDMA")])
    number = rng.choice(NUMBERS)
    match rng.randrange(5):
        case 0:
            return b"%0*o" % (length, max(number, 0))[:length]
        case 1:
            raw = bytearray((number % (1 << 8 * length)).to_bytes(length, "big"))
            raw[0] |= 0x80
            return bytes(raw)
        case 2:
            return rng.choice(TEXTS).encode("utf-8", "surrogatepass")[:length].ljust(length, b"\0")
        case 3:
            return bytes(rng.randrange(256) for _ in range(length))
    changed = bytearray(old)
    changed[rng.randrange(length)] = rng.choice(b"0179 =\n\0\xff,./")
    return bytes(changed)


def _sign(block: bytearray) -> None:
    if block[257:262] == b"ustar":
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
