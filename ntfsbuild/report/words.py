"""Sizes, times and names as text."""

from __future__ import annotations

from ntfsbuild.ondisk.filetime import format_filetime

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

# Control characters could control a terminal; all other characters of a name are shown as they are.
_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(0x20), *range(0x7F, 0xA0)]}


def escaped(text: str) -> str:
    """The text with its control characters escaped."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def size_text(size_bytes: int) -> str:
    """A size with at most one decimal: 64 MiB, 1.5 KiB, 12 B."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    unit = min(size_bytes.bit_length() - 1, 69) // 10
    scaled = size_bytes / (1 << 10 * unit)
    text = f"{scaled:.1f}".removesuffix(".0")
    return f"{text} {_UNITS[unit - 1]}"


def count_text(count: int, one: str, many: str) -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many}"


def time_text(ticks: int) -> str:
    """A time in UTC, to the second; a value that is no valid time is shown as a number."""
    try:
        return format_filetime(ticks)[:19].replace("T", " ")
    except ValueError:
        return f"{ticks:#x}"


def exact_time(ticks: int) -> str | int:
    """A time with all its digits, or the number if it is no valid time."""
    try:
        return format_filetime(ticks)
    except ValueError:
        return ticks
