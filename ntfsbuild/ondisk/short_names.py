"""8.3 names: which names are already short, and how Windows makes them.  specs/ondisk/short_names.md"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import count, takewhile

from ntfsbuild.ondisk import names, upcase

BASE_UNITS = 8
EXTENSION_UNITS = 3
MAX_NUMBER = 999_999  # Windows tries a million times.

_PLAIN_NUMBERS = 4  # From the fifth name on, four digits of a hash replace most of the name.
_TOO_SHORT = 2  # A name of so few characters has the hash at once.

_LEGAL = r"A-Z0-9!#$%&'()\-@^_`{}~"
_eight_and_three = re.compile(f"[{_LEGAL}a-z]{{1,8}}(?:\\.[{_LEGAL}a-z]{{1,3}})?", re.ASCII)
_illegal = re.compile(f"[^{_LEGAL}]")
_never_short = re.compile(r'[\0- "*+,./:;<=>?\[\\\]|]')


def is_short(name: str) -> bool:
    """Whether the name is itself an 8.3 name, in any case: then Windows makes no other."""
    return _eight_and_three.fullmatch(name) is not None


def has_form(name: str) -> bool:
    """Whether a name has the form of an 8.3 name, in any code page."""
    if _eight_and_three.fullmatch(name):
        return True
    base, dot, extension = name.partition(".")
    return (
        1 <= len(base) <= BASE_UNITS
        and len(extension) <= EXTENSION_UNITS
        and bool(dot) == bool(extension)
        and not _never_short.search(base + extension)
    )


class ShortNames:
    """Makes the short names of one directory, as Windows does; remembers them."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def make(self, name: str, taken: Container[str]) -> str:
        """A short name for `name`; `taken` are the other names of the directory, in upper case."""
        for candidate in _candidates(name):
            if candidate not in self._made and candidate not in taken:
                self._made.add(candidate)
                return candidate
        raise ValueError(f"{name!r}: no 8.3 name is left in its directory")


def _candidates(name: str) -> Iterator[str]:
    """The names that Windows tries, in its order."""
    # A dot at the beginning or at the end separates nothing.
    base, dot, extension = name.lstrip(".").rstrip(". ").rpartition(".")
    if not dot:
        base, extension = extension, ""
    base = _cleaned(base)[: BASE_UNITS - 2]
    ending = _cleaned(extension)[:EXTENSION_UNITS]
    ending = ending and f".{ending}"
    if len(base) > _TOO_SHORT:
        yield from (f"{base}~{number}{ending}" for number in range(1, _PLAIN_NUMBERS + 1))
    hashed = base[:_TOO_SHORT] + _hash_digits(name)
    for number in takewhile(MAX_NUMBER.__ge__, count(1)):
        tail = f"~{number}"
        yield f"{hashed[: BASE_UNITS - len(tail)]}{tail}{ending}"


def _cleaned(part: str) -> str:
    """The name with characters that 8.3 names allow: one for each code unit, no blanks, no dots."""
    kept = part.replace(" ", "").replace(".", "")
    units = "".join(character if character <= "\uffff" else "__" for character in kept)
    # Only ASCII has another case here: what `upper` would make of the rest is `_` anyway.
    return _illegal.sub("_", "".join(unit.upper() if unit.isascii() else "_" for unit in units))


def _hash_digits(name: str) -> str:
    """Four hexadecimal digits of the hash that Windows 7 and later take, lowest first."""
    sum_ = 0
    for high, low in zip(*[iter(upcase.code_units(name))] * 2, strict=True):
        sum_ = (sum_ * 0x25 + (high << 8 | low)) & 0xFFFF
    product = sum_ * 314159269 & 0xFFFFFFFF
    if product >= 0x80000000:  # As a signed number it is negative.
        product = 0x100000000 - product
    return f"{product % 1000000007 & 0xFFFF:04X}"[::-1]


def what_is_wrong(short_name: str) -> str | None:
    """Why a name is not allowed as a short name, as a message; None if it is."""
    problem = names.what_is_wrong(short_name, posix=False)
    if problem:
        return problem.partition(";")[0]  # The rest says how a long name could still have it.
    base, _, extension = short_name.partition(".")
    if "." in extension:
        return "a short name has one dot at most"
    if not 1 <= names.units(base) <= BASE_UNITS or names.units(extension) > EXTENSION_UNITS:
        return f"a short name has 1 to {BASE_UNITS} characters, a dot, and {EXTENSION_UNITS} at most"
    if upcase.upper(short_name) != short_name:
        return "a short name is in upper case"
    for character in base + extension:
        # Windows takes what its code page for DOS has; what that is, a volume does not know.
        if character.isascii() and _illegal.match(character):
            return f"a short name cannot hold {character!r}"
    return None
