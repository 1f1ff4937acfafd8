"""Turns names of a volume into names of the host: none leads out of its directory, and none is lost."""

from __future__ import annotations

import hashlib

MAX_BYTES = 255  # The longest name of the usual file systems.
_DIGEST_CHARACTERS = 8


def safe_name(name: str) -> str:
    """A name that any POSIX system allows; other characters, and the percent sign, are written as %XX.

    An unpaired surrogate becomes %uXXXX.  A name that is too long is cut, and ends in a digest.
    """
    usual = name.isascii() and name.isprintable() and "%" not in name and "/" not in name
    if usual and 0 < len(name) <= MAX_BYTES and name not in (".", ".."):
        return name
    out = []
    for character in name:
        code = ord(character)
        if 0xD800 <= code < 0xE000:
            out.append(f"%u{code:04X}")
        elif character in "%/" or code < 0x20 or code == 0x7F:
            out.append(f"%{code:02X}")
        else:
            out.append(character)
    safe = "".join(out)
    if safe in (".", "..", ""):
        safe = "%2E" * len(safe) or "%"
    return safe if len(safe.encode()) <= MAX_BYTES else _cut(safe)


def _cut(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    room = MAX_BYTES - _DIGEST_CHARACTERS - 1
    return name.encode()[:room].decode(errors="ignore") + "~" + digest


def numbered(name: str, number: int) -> str:
    """Another name for an item whose name is already used on the host; `number` counts from 2."""
    if number == 1:
        return name
    stem, dot, suffix = name.rpartition(".")
    made = f"{stem}~{number}.{suffix}" if dot and stem else f"{name}~{number}"
    return made if len(made.encode()) <= MAX_BYTES else _cut(made)
