"""The words of SDDL, and a scanner with its position in the text.  specs/ondisk/security.md"""

from __future__ import annotations

import re
from typing import NoReturn

from ntfsbuild.ondisk.security import sid
from ntfsbuild.ondisk.security_descriptor import MOST_SUB_AUTHORITIES

# Names such as DA are relative to a domain.  This default domain does not exist; `domain` names another one.
DOMAIN = "S-1-5-21-0-0-0"

_AUTHORITIES = {
    "WD": (1, 0),
    "CO": (3, 0),
    "CG": (3, 1),
    "OW": (3, 4),
    "NU": (5, 2),
    "IU": (5, 4),
    "SU": (5, 6),
    "AN": (5, 7),
    "ED": (5, 9),
    "PS": (5, 10),
    "AU": (5, 11),
    "RC": (5, 12),
    "SY": (5, 18),
    "LS": (5, 19),
    "NS": (5, 20),
    "WR": (5, 33),
    "UD": (5, 84, 0, 0, 0, 0, 0),
    "AC": (15, 2, 1),
    "LW": (16, 4096),
    "ME": (16, 8192),
    "MP": (16, 8448),
    "HI": (16, 12288),
    "SI": (16, 16384),
    "AS": (18, 1),
    "SS": (18, 2),
}
_BUILTIN = {
    "BA": 544,
    "BU": 545,
    "BG": 546,
    "PU": 547,
    "AO": 548,
    "SO": 549,
    "PO": 550,
    "BO": 551,
    "RE": 552,
    "RU": 554,
    "RD": 555,
    "NO": 556,
    "MU": 558,
    "LU": 559,
    "IS": 568,
    "CY": 569,
    "ER": 573,
    "CD": 574,
    "RA": 575,
    "ES": 576,
    "MS": 577,
    "HA": 578,
    "AA": 579,
    "RM": 580,
    "HO": 584,
}
_OF_DOMAIN = {
    "RO": 498,
    "LA": 500,
    "LG": 501,
    "DA": 512,
    "DU": 513,
    "DG": 514,
    "DC": 515,
    "DD": 516,
    "CA": 517,
    "SA": 518,
    "EA": 519,
    "PA": 520,
    "CN": 522,
    "AP": 525,
    "KA": 526,
    "EK": 527,
    "RS": 553,
}
_SIDS = {alias: sid(*numbers) for alias, numbers in _AUTHORITIES.items()} | {
    alias: sid(5, 32, number) for alias, number in _BUILTIN.items()
}
_ALIASES = {one: alias for alias, one in _SIDS.items()}

KINDS = {
    "A": 0x00,
    "D": 0x01,
    "AU": 0x02,
    "AL": 0x03,
    "OA": 0x05,
    "OD": 0x06,
    "OU": 0x07,
    "OL": 0x08,
    "XA": 0x09,
    "XD": 0x0A,
    "ZA": 0x0B,
    "XU": 0x0D,
    "ML": 0x11,
    "RA": 0x12,
    "SP": 0x13,
    "TL": 0x14,
    "FL": 0x15,
}
# Both are 0x40; the type of the entry decides.
FLAGS = {
    "OI": 0x01,
    "CI": 0x02,
    "NP": 0x04,
    "IO": 0x08,
    "ID": 0x10,
    "CR": 0x20,
    "SA": 0x40,
    "FA": 0x80,
    "TP": 0x40,
}
_LETTERS = {  # In the order in which Windows writes them.
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
    "SD": 0x10000,
    "RC": 0x20000,
    "WD": 0x40000,
    "WO": 0x80000,
    "GA": 0x10000000,
    "GX": 0x20000000,
    "GW": 0x40000000,
    "GR": 0x80000000,
}
_WHOLE = {"FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0}
_KEYS = {"KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019}
_LABEL = {"NW": 0x1, "NR": 0x2, "NX": 0x4}
RIGHTS = _LETTERS | _WHOLE | _KEYS | _LABEL

_SID = re.compile(r"S-1((?:-(?:0x[0-9a-f]{1,12}|[0-9]{1,15}))+)", re.IGNORECASE)
_NUMBER = re.compile(r"([+-]?)(0x[0-9a-f]{1,16}|0[0-7]{1,22}|[0-9]{1,20})(?![0-9a-z_])", re.IGNORECASE)


class Scanner:
    """A text and a position in it; errors carry the number of the character, counted from 1."""

    def __init__(self, text: str, domain: str = DOMAIN) -> None:
        self.text = text
        self.at = 0
        self._domain = domain

    def wrong(self, message: str, at: int | None = None) -> NoReturn:
        """Raise ValueError for the place `at`, or for this one."""
        raise ValueError(f"character {(self.at if at is None else at) + 1}: {message}")

    def skip_spaces(self) -> None:
        """Pass over white space."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def sees(self, word: str) -> bool:
        """Whether a word stands here, in any case."""
        return self.text[self.at : self.at + len(word)].upper() == word

    def takes(self, word: str) -> bool:
        """Pass over a word, if it stands here."""
        found = self.sees(word)
        if found:
            self.at += len(word)
        return found

    def expect(self, word: str) -> None:
        """Pass over a word that must stand here."""
        if not self.takes(word):
            self.wrong(f"{word!r} was expected, {self.here()} found")

    def here(self) -> str:
        """What stands here, for messages."""
        return repr(self.text[self.at : self.at + 12]) if self.at < len(self.text) else "the end"

    def matches(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Pass over what a pattern matches here."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def field(self) -> tuple[str, int]:
        """What stands before the next `;` or `)`, without spaces around it, and where it begins."""
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in ";()":
            self.at += 1
        return self.text[begin : self.at].strip(), begin

    def number(self, low: int, high: int) -> tuple[int, str, int]:
        """A number in bounds, its sign as written, and its base: 8, 10 or 16."""
        begin = self.at
        found = self.matches(_NUMBER)
        if not found:
            self.wrong(f"a number was expected, {self.here()} found")
        digits = found[2].lower()
        base = 16 if digits.startswith("0x") else 8 if len(digits) > 1 and digits[0] == "0" else 10
        if base == 8 and not set(digits) <= set("01234567"):
            self.wrong(f"{digits} is no octal number", begin)
        value = int(digits, base) * (-1 if found[1] == "-" else 1)
        if not low <= value <= high:
            self.wrong(f"{found[0]} is not in {low} to {high}", begin)
        return value, found[1], base

    def sid(self) -> bytes:
        """A SID: S-1-…, or two letters."""
        begin = self.at
        found = self.matches(_SID)
        if found:
            try:
                return _sid_of(found[1])
            except ValueError as error:
                self.wrong(f"{found[0]}: {error}", begin)
        alias = self.text[self.at : self.at + 2].upper()
        if alias not in _SIDS and alias not in _OF_DOMAIN:
            self.wrong(f"a SID or one of the names in two letters was expected, {self.here()} found")
        self.at += 2
        if alias in _SIDS:
            return _SIDS[alias]
        domain = _SID.fullmatch(self._domain)
        if not domain:
            raise ValueError(f"the domain {self._domain!r} is no SID")
        return _sid_of(f"{domain[1]}-{_OF_DOMAIN[alias]}")


def _sid_of(numbers: str) -> bytes:
    authority, *rest = [int(one, 16 if one[:2] in ("0x", "0X") else 10) for one in numbers[1:].split("-")]
    if authority >= 1 << 48:
        raise ValueError("the authority has more than 48 bits")
    if len(rest) > MOST_SUB_AUTHORITIES:
        raise ValueError(f"{len(rest)} sub-authorities, at most {MOST_SUB_AUTHORITIES} are possible")
    if any(one >= 1 << 32 for one in rest):
        raise ValueError("a sub-authority has more than 32 bits")
    return sid(authority, *rest)


def sid_text(value: bytes) -> str:
    """A SID in two letters, or as S-1-…; what belongs to a domain always as S-1-…."""
    if value in _ALIASES:
        return _ALIASES[value]
    authority = int.from_bytes(value[2:8], "big")
    subs = [str(int.from_bytes(value[at : at + 4], "little")) for at in range(8, len(value), 4)]
    head = str(authority) if authority < 1 << 32 else f"0x{authority:012X}"
    return "-".join(["S-1", head, *subs])


# Windows writes other characters, and everything that would mean something else, as %XXXX.
IN_QUOTES = re.compile(r'[^"\0-\x1f\ud800-\udfff%]|%(?![0-9A-Fa-f]{4})')
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{4})|(.)", re.DOTALL)


def unescaped(text: str) -> bytes:
    """A text as UTF-16, with a unit for every %XXXX."""
    return b"".join(
        int(part[1], 16).to_bytes(2, "little") if part[1] else part[2].encode("utf-16-le", "surrogatepass")
        for part in _ESCAPED.finditer(text)
    )


def escaped(value: bytes, plain: re.Pattern[str], *, first: bool = False) -> str:
    """UTF-16 as text, with %XXXX for the characters that are not `plain`, and for the `first` if asked."""
    text = value.decode("utf-16-le", "surrogatepass")
    pieces = []
    for at, one in enumerate(text):
        if plain.match(text, at) and not (first and at == 0):
            pieces.append(one)
        else:
            units = one.encode("utf-16-be", "surrogatepass")
            pieces += [f"%{units[unit : unit + 2].hex()}" for unit in range(0, len(units), 2)]
    return "".join(pieces)


def mask_text(mask: int, *, label: bool) -> str:
    """An access mask as words, if words cover all its bits."""
    if not label:
        for word, value in _WHOLE.items():
            if mask == value:
                return word
    words = _LABEL if label else _LETTERS
    if mask & ~sum(words.values()):
        return f"0x{mask:x}"
    return "".join(word for word, value in words.items() if mask & value)
