"""Conditional expressions of access control entries: as text, and in postfix order as bytes.

`specs/ondisk/security.md` has the codes.
"""

from __future__ import annotations

import re
import struct

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.sddl_words import IN_QUOTES, Scanner, escaped, sid_text, unescaped
from ntfsbuild.ondisk.security_descriptor import sid_bytes

_SIGNATURE = b"artx"
_DEEPEST = 100  # Parentheses in each other; no condition that makes sense has as many.
_DEEPEST_READ = 40  # Each `!` is written with parentheses, and is then two.

_INTEGERS = range(0x01, 0x05)
_INTEGER, _STRING, _OCTETS, _COMPOSITE, _SID = 0x04, 0x10, 0x18, 0x50, 0x51
_COMPARISONS = {"==": 0x80, "!=": 0x81, "<=": 0x83, "<": 0x82, ">=": 0x85, ">": 0x84}
_SETS = {"CONTAINS": 0x86, "ANY_OF": 0x88, "NOT_CONTAINS": 0x8E, "NOT_ANY_OF": 0x8F}
_EXISTENCE = {"EXISTS": 0x87, "NOT_EXISTS": 0x8D}
_MEMBERSHIP = {
    "MEMBER_OF": 0x89,
    "DEVICE_MEMBER_OF": 0x8A,
    "MEMBER_OF_ANY": 0x8B,
    "DEVICE_MEMBER_OF_ANY": 0x8C,
    "NOT_MEMBER_OF": 0x90,
    "NOT_DEVICE_MEMBER_OF": 0x91,
    "NOT_MEMBER_OF_ANY": 0x92,
    "NOT_DEVICE_MEMBER_OF_ANY": 0x93,
}
_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_LOCAL = 0xF8
_PREFIXES = {"@USER.": 0xF9, "@RESOURCE.": 0xFA, "@DEVICE.": 0xFB}
_BASES = {8: 1, 10: 2, 16: 3}
_SIGNS = {"+": 1, "-": 2, "": 3}

_WORD = re.compile(r"[A-Za-z_]+(?![\w:./%])")
_PLAIN = re.compile(r"[\w:./]")
_PLAIN_OF_SOMEBODY = re.compile(r"[\w:./#$'*+;?@\[\\\]^`{}~-]")  # Behind @User. and the like.
_NAME, _NAME_OF_SOMEBODY = (
    re.compile(f"(?:%[0-9A-Fa-f]{{4}}|{plain.pattern})+") for plain in (_PLAIN, _PLAIN_OF_SOMEBODY)
)
_TEXT = re.compile(r'"([^"]*)"')
_HEX = re.compile(r"#([0-9A-Fa-f#]*)")
_SID_WORD = re.compile(r"SID\s*\(\s*", re.IGNORECASE)
_DIGITS = frozenset("0123456789")


def _spelled(word: str) -> str:
    """How Windows writes an operator: Not_Any_of, Device_Member_of."""
    return re.sub("_OF", "_of", word.title(), flags=re.IGNORECASE)


_SPELLED = {code: _spelled(word) for word, code in (_SETS | _EXISTENCE | _MEMBERSHIP).items()} | {
    code: word for word, code in _COMPARISONS.items()
}


def _sized(code: int, data: bytes) -> bytes:
    return struct.pack("<BI", code, len(data)) + data


# ---------------------------------------------------------------------- from text


def parse_condition(scanner: Scanner) -> bytes:
    """The condition in parentheses that stands here, a multiple of four bytes."""
    scanner.skip_spaces()
    scanner.expect("(")
    data = _SIGNATURE + _any(scanner, 1)
    scanner.expect(")")
    return data + bytes(-len(data) % 4)


def _any(scanner: Scanner, depth: int) -> bytes:
    found = _all(scanner, depth)
    while scanner.takes("||"):
        found += _all(scanner, depth) + bytes([_OR])
    return found


def _all(scanner: Scanner, depth: int) -> bytes:
    found = _one(scanner, depth)
    while scanner.takes("&&"):
        found += _one(scanner, depth) + bytes([_AND])
    return found


def _one(scanner: Scanner, depth: int) -> bytes:
    if depth > _DEEPEST:
        scanner.wrong(f"more than {_DEEPEST} conditions in each other")
    scanner.skip_spaces()
    if scanner.takes("!"):
        found = _one(scanner, depth + 1) + bytes([_NOT])
    elif scanner.takes("("):
        found = _any(scanner, depth + 1)
        scanner.expect(")")
    else:
        found = _comparison(scanner)
    scanner.skip_spaces()
    return found


def _comparison(scanner: Scanner) -> bytes:
    begin = scanner.at
    word = scanner.matches(_WORD)
    if word and word[0].upper() in _EXISTENCE:
        scanner.skip_spaces()
        return _attribute(scanner) + bytes([_EXISTENCE[word[0].upper()]])
    if word and word[0].upper() in _MEMBERSHIP:
        scanner.skip_spaces()
        return _sids(scanner) + bytes([_MEMBERSHIP[word[0].upper()]])
    scanner.at = begin
    left = _attribute(scanner)
    scanner.skip_spaces()
    code = next((code for word, code in _COMPARISONS.items() if scanner.takes(word)), None)
    if code is None:
        begin = scanner.at
        word = scanner.matches(_WORD)
        code = _SETS.get(word[0].upper()) if word else None
        if code is None:
            scanner.at = begin
            return left  # True where it is there and not zero.
    scanner.skip_spaces()
    return left + _operand(scanner) + bytes([code])


def _attribute(scanner: Scanner) -> bytes:
    begin = scanner.at
    code = next((code for word, code in _PREFIXES.items() if scanner.takes(word)), _LOCAL)
    found = scanner.matches(_NAME if code == _LOCAL else _NAME_OF_SOMEBODY)
    if not found:
        scanner.at = begin
        scanner.wrong(f"the name of an attribute was expected, {scanner.here()} found")
    return _sized(code, unescaped(found[0]))


def _operand(scanner: Scanner) -> bytes:
    here = scanner.text[scanner.at : scanner.at + 1]
    if here == "{":
        return _composite(scanner)
    # A name may begin with SID, a number may not begin a name.
    if here in ('"', "#", "+", "-") or here in _DIGITS or _SID_WORD.match(scanner.text, scanner.at):
        return _literal(scanner)
    return _attribute(scanner)


def _literal(scanner: Scanner) -> bytes:
    if found := scanner.matches(_TEXT):
        return _sized(_STRING, unescaped(found[1]))
    if found := scanner.matches(_HEX):
        digits = found[1].replace("#", "0")
        digits = digits.rjust(len(digits) + len(digits) % 2, "0")  # #1#2 is #0102: each # is a zero, too.
        return _sized(_OCTETS, bytes.fromhex(digits))
    if scanner.matches(_SID_WORD):
        sid = scanner.sid()
        scanner.skip_spaces()
        scanner.expect(")")
        return _sized(_SID, sid)
    value, sign, base = scanner.number(-(1 << 63), (1 << 63) - 1)
    return struct.pack("<BqBB", _INTEGER, value, _SIGNS[sign], _BASES[base])


def _composite(scanner: Scanner) -> bytes:
    scanner.expect("{")
    scanner.skip_spaces()
    found = b""
    while not scanner.takes("}"):
        if found:
            scanner.expect(",")
            scanner.skip_spaces()
        found += _literal(scanner)
        scanner.skip_spaces()
    return _sized(_COMPOSITE, found)


def _sids(scanner: Scanner) -> bytes:
    begin = scanner.at
    found = _operand(scanner)
    if not _read_operand(found, 0, len(found)).is_sids:
        scanner.wrong("SID(…) or {SID(…), …} was expected", begin)
    return found


# ---------------------------------------------------------------------- to text


class _Item(NamedTuple):
    """What lies on the stack: its text, its outermost `&&` or `||`, how deep the parentheses in it are."""

    text: str
    depth: int = 0
    operator: int = 0
    is_attribute: bool = False
    is_sids: bool = False
    is_expression: bool = False

    @property
    def is_truth(self) -> bool:
        """Whether it can be true."""
        return self.is_expression or self.is_attribute


def condition_text(data: bytes) -> str:
    """The text of a condition, in parentheses; raises ValueError where it is damaged."""
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"a condition begins with {data[:4].hex()}, expected {_SIGNATURE.hex()}")
    stack: list[_Item] = []
    at, end = len(_SIGNATURE), len(data)
    while at < end:
        code = data[at]
        if code == 0 and not any(data[at:]):
            break  # Zeros fill it up.
        if code < 0x80 or code >= _LOCAL:
            size = _size_of(data, at, end)
            stack.append(_read_operand(data, at, at + size))
            at += size
            continue
        at += 1
        operands = 1 if code == _NOT or code in _UNARY else 2
        if len(stack) < operands:
            raise ValueError(f"the operator {code:#x} of a condition lacks an operand")
        taken = stack[-operands:]
        del stack[-operands:]
        stack.append(_applied(code, taken))
    if len(stack) != 1 or not stack[0].is_truth:
        raise ValueError("a condition is not one expression")
    return f"({stack[0].text})"


_UNARY = frozenset(_EXISTENCE.values()) | frozenset(_MEMBERSHIP.values())


def _applied(code: int, operands: list[_Item]) -> _Item:
    first, last = operands[0], operands[-1]
    if code in (_AND, _OR, _NOT):
        if not (first.is_truth and last.is_truth):
            raise ValueError(f"the operator {code:#x} of a condition has an operand that cannot be true")
        chained = code != _NOT and first.operator == code  # a && b && c is (a && b) && c.
        depth = max(first.depth + (not chained), last.depth + 1)
        if depth >= _DEEPEST_READ:
            raise ValueError(f"more than {_DEEPEST_READ} conditions in each other")
        if code == _NOT:
            return _Item(f"!({first.text})", depth, is_expression=True)
        left = first.text if chained else f"({first.text})"
        word = "&&" if code == _AND else "||"
        return _Item(f"{left} {word} ({last.text})", depth, code, is_expression=True)
    word = _SPELLED.get(code, "")
    if not word:
        raise ValueError(f"{code:#x} is no operator of a condition")
    if code in _UNARY:
        if not (first.is_attribute if code in _EXISTENCE.values() else first.is_sids):
            raise ValueError(f"{word} in a condition has another operand than it can have")
        return _Item(f"{word} {first.text}", is_expression=True)
    if not first.is_attribute or last.is_expression:
        raise ValueError(f"{word} in a condition has another operand than it can have")
    return _Item(f"{first.text} {word} {last.text}", is_expression=True)


def _size_of(data: bytes, at: int, end: int) -> int:
    """How long an operand is, its code included."""
    if data[at] in _INTEGERS:
        size = 11
    elif at + 5 > end:
        raise ValueError(f"a condition ends in the operand {data[at]:#x}")
    else:
        size = 5 + int.from_bytes(data[at + 1 : at + 5], "little")
    if at + size > end:
        raise ValueError(f"a condition ends in the operand {data[at]:#x}")
    return size


def _read_operand(data: bytes, at: int, end: int, *, nested: bool = False) -> _Item:
    code, value = data[at], data[at + 5 : end]
    if code in _INTEGERS:
        return _Item(_integer_text(*struct.unpack_from("<qBB", data, at + 1)))
    if code == _STRING:
        return _Item(f'"{escaped(_whole(value), IN_QUOTES)}"')
    if code == _OCTETS:
        return _Item("#" + value.hex())
    if code == _SID:
        if not value or sid_bytes(value, 0, len(value)) != len(value):
            raise ValueError(f"a SID of a condition has {len(value)} bytes")
        return _Item(f"SID({sid_text(value)})", is_sids=True)
    if code == _COMPOSITE and not nested:
        items, at = [], at + 5
        while at < end:
            size = _size_of(data, at, end)
            items.append(_read_operand(data, at, at + size, nested=True))
            at += size
        is_sids = bool(items) and all(item.is_sids for item in items)
        return _Item("{" + ", ".join(item.text for item in items) + "}", is_sids=is_sids)
    if code >= _LOCAL and not nested:
        for prefix, prefix_code in {"": _LOCAL, **_PREFIXES}.items():
            if code == prefix_code and value:
                return _Item(_spelled(prefix) + _name_text(value, code), is_attribute=True)
    raise ValueError(f"{code:#x} is no operand of a condition here")


def _integer_text(value: int, sign: int, base: int) -> str:
    word = "-" if value < 0 or sign == _SIGNS["-"] else "+" if sign == _SIGNS["+"] else ""
    if base == _BASES[16]:
        return f"{word}0x{abs(value):x}"
    return f"{word}0{abs(value):o}" if base == _BASES[8] else f"{word}{abs(value)}"


def _name_text(value: bytes, code: int) -> str:
    """A name whose other characters, and a beginning that means something else, are %XXXX."""
    plain = _whole(value).decode("utf-16-le", "surrogatepass")
    word = plain.upper()
    special = code == _LOCAL and (plain[0] in _DIGITS or word in _EXISTENCE or word in _MEMBERSHIP)
    return escaped(value, _PLAIN if code == _LOCAL else _PLAIN_OF_SOMEBODY, first=special)


def _whole(value: bytes) -> bytes:
    if len(value) % 2:
        raise ValueError(f"a text of a condition has {len(value)} bytes")
    return value
