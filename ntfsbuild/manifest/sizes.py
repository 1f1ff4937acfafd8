"""Sizes in bytes, without or with a unit."""

from __future__ import annotations

import re

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.manifest.model import Size
from ntfsbuild.manifest.words import shown

_UNITS: dict[str, int] = {
    "": 1,
    **{prefix: 1000**power for power, prefix in enumerate("KMGTPE", 1)},
    **{f"{prefix}i": 1024**power for power, prefix in enumerate("KMGTPE", 1)},
}
_SIZE = re.compile(r"(0|[1-9][0-9]{0,39})(?:\.([0-9]{1,39}))?([KMGTPE]i?)?B")
_PLAIN = re.compile(r"0|[1-9][0-9]{0,39}|0x[0-9A-Fa-f]{1,32}")
_AUTO = re.compile(r"auto(?:\+(?:([0-9]{1,4}(?:\.[0-9]{1,9})?)%|(.+)))?", re.DOTALL)


def parse_size(value: int | str, what: str = "a size (3MB or 3MiB)") -> int:
    """The bytes of `3145728`, `3MiB`, `1.5KiB`; the ValueError says what is allowed."""
    size_bytes = value if isinstance(value, int) else _bytes_of(value, what)
    if size_bytes < 0:
        raise ValueError(f"{shown(value)} is not {what}: it is negative")
    if size_bytes > SIZE_MAX:
        raise ValueError(f"{shown(value)} is more than NTFS can hold (2^63 - 1 bytes)")
    return size_bytes


def parse_volume_size(value: int | str) -> Size:
    """The size of a volume: `64MiB`, or `auto`, `auto+16MiB`, `auto+10%`."""
    what = "a volume size (64MiB, auto, auto+16MiB or auto+10%)"
    match = _AUTO.fullmatch(value) if isinstance(value, str) else None
    if not match:
        size_bytes = parse_size(value, what)
        if size_bytes == 0:
            raise ValueError(f"{shown(value)} is not {what}: it is empty")
        return Size(size_bytes)
    percent, extra = match.groups()
    try:
        return Size(None, parse_size(extra) if extra else 0, float(percent or 0))
    except ValueError:
        raise ValueError(f"{shown(value)} is not {what}") from None


def size_text(size_bytes: int) -> str:
    """A size in the largest binary unit that divides it."""
    for power, prefix in reversed(list(enumerate("KMGTPE", 1))):
        if size_bytes and size_bytes % 1024**power == 0:
            return f"{size_bytes // 1024**power}{prefix}iB"
    return str(size_bytes)


def _bytes_of(text: str, what: str) -> int:
    if _PLAIN.fullmatch(text):
        return int(text, 0)
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{shown(text)} is not {what}")
    whole, fraction, unit = match.groups()
    fraction = fraction or ""
    scaled, scale = int(whole + fraction) * _UNITS[unit or ""], int(f"1{'0' * len(fraction)}")
    if scaled % scale:
        raise ValueError(f"{shown(text)} is not a whole number of bytes")
    return scaled // scale
