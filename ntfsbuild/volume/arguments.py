"""Checks of the arguments that callers give the methods of a volume, before anything is read or changed.

Each function returns the argument; if it is wrong, it raises ManifestError with the name of the argument, its
value, and what is wanted.
"""

from __future__ import annotations

from typing import Any

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.file_attributes import SETTABLE_ATTRIBUTES, attribute_names
from ntfsbuild.ondisk.filetime import TICKS_MAX
from ntfsbuild.ondisk.names import what_is_wrong_with_stream
from ntfsbuild.ondisk.object_id import what_is_wrong as what_is_wrong_with_object_id
from ntfsbuild.ondisk.standard_information import TIME_NAMES, Ticks4
from ntfsbuild.ondisk.traits import (
    INFORMATION_BITS,
    MADE_SHORT_NAME,
    NO_TRAITS,
    SomeTicks,
    Traits,
)
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label

_SHOWN_MAX = 60
_DWORD_MAX = (1 << 32) - 1


def size_of(name: str, value: Any) -> int:
    """A size or an offset in bytes."""
    return _integer(name, value, SIZE_MAX, "a number of bytes")


def bytes_of(name: str, value: Any) -> bytes | memoryview:
    """Data to be written; a view counts bytes, whatever its items were."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        view = memoryview(value)
        return view.cast("B") if view.contiguous else view.tobytes()
    raise _wrong(name, value, "bytes")


def text_of(name: str, value: Any) -> str:
    """A path, or the name of a stream that is looked up."""
    if not isinstance(value, str):
        raise _wrong(name, value, "a str")
    return value


def new_stream_of(name: str, value: Any) -> str:
    """The name of a stream that is created if it does not exist; empty for the main stream."""
    if text_of(name, value) and (wrong := what_is_wrong_with_stream(value)):
        raise ManifestError(f"{name} is {_shown(value)}, not the name of a stream: {wrong}")
    return str(value)


def label_of(name: str, value: Any) -> str:
    """The label of a volume."""
    if wrong := what_is_wrong_with_label(text_of(name, value)):
        raise ManifestError(f"the {name} {wrong}")
    return str(value)


def ticks_of(name: str, value: Any) -> int:
    """A time."""
    return _integer(name, value, TICKS_MAX, "a time in ticks (ntfsbuild.ticks gives them)")


def ticks_or_none_of(name: str, value: Any) -> int | None:
    """A time that need not be given."""
    return None if value is None else ticks_of(name, value)


def times_of(name: str, value: Any) -> Ticks4:
    """All four times."""
    created, modified, changed, accessed = (
        ticks_of(f"{name}: {part}", one) for part, one in zip(TIME_NAMES, _four(name, value), strict=True)
    )
    return created, modified, changed, accessed


def some_times_of(name: str, value: Any) -> SomeTicks:
    """Four times, each of which may be None."""
    created, modified, changed, accessed = (
        ticks_or_none_of(f"{name}: {part}", one)
        for part, one in zip(TIME_NAMES, _four(name, value), strict=True)
    )
    return created, modified, changed, accessed


def _four(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list) or len(value) != len(TIME_NAMES):
        raise _wrong(name, value, f"a tuple of four times ({', '.join(TIME_NAMES)})")
    return tuple(value)


def attributes_of(name: str, value: Any) -> int:
    """FILE_ATTRIBUTE bits that a user may set; the others follow from what the file is."""
    bits = any_attributes_of(name, value)
    if others := bits & ~SETTABLE_ATTRIBUTES:
        settable = ", ".join(attribute_names(SETTABLE_ATTRIBUTES))
        raise ManifestError(
            f"{name} is {bits:#x}: {', '.join(attribute_names(others))} cannot be set; "
            f"bits that can be set are {SETTABLE_ATTRIBUTES:#x} ({settable})"
        )
    return bits


def any_attributes_of(name: str, value: Any) -> int:
    """FILE_ATTRIBUTE bits, of which only some will be used."""
    return _integer(name, value, _DWORD_MAX, "a sum of FILE_ATTRIBUTE bits")


def object_id_of(name: str, value: Any) -> bytes:
    """An object id of 16 or 64 bytes."""
    if not isinstance(value, bytes):
        raise _wrong(name, value, "bytes")
    if wrong := what_is_wrong_with_object_id(value):
        raise ManifestError(f"{name}: {wrong}")
    return value


def short_name_of(name: str, value: Any, long_name: str) -> str | None:
    """The short name for a long name; None if there is none."""
    from ntfsbuild.ondisk import short_names  # Late: few ask.

    if value is None or text_of(name, value) in ("", MADE_SHORT_NAME):
        return None if value is None else str(value)
    if value == long_name:
        wrong = None if short_names.is_short(value) else "it is no 8.3 name"
    else:
        wrong = short_names.what_is_wrong(value)
    if wrong:
        raise ManifestError(f"{name} is {_shown(value)}, not a short name: {wrong}")
    return str(value)


def traits_of(name: str, value: Any, path: str) -> None:
    """The traits of the file at a path; they are not returned, for nothing is converted."""
    if value is NO_TRAITS:
        return
    if not isinstance(value, Traits):
        raise _wrong(name, value, "a Traits")
    from ntfsbuild.ondisk.trait_values import RAW_TRAITS, wrong_trait  # Late: few set any.

    for field in RAW_TRAITS:
        raw = getattr(value, field)
        if raw is not None and not isinstance(raw, bytes):
            raise _wrong(f"{name}: {field}", raw, "bytes")
    if found := wrong_trait(value):
        raise ManifestError(f"{name}: {found[0]}: {found[1]}")
    if value.efs is not None:
        raise ManifestError(f"{name}: efs: it belongs to encrypted content, which only a manifest can make")
    short_name_of(f"{name}: short_name", value.short_name, path.rstrip("/").rpartition("/")[2])
    for field in ("name_times", "entry_times"):
        if (times := getattr(value, field)) is not None:
            some_times_of(f"{name}: {field}", times)
    if not isinstance(value.case_sensitive, bool | None):
        raise _wrong(f"{name}: case_sensitive", value.case_sensitive, "a bool")
    for field, bits in INFORMATION_BITS.items():
        if (number := getattr(value, field)) is not None:
            _integer(f"{name}: {field}", number, (1 << bits) - 1, f"a number of {bits} bits")


def _integer(name: str, value: object, most: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _wrong(name, value, f"{what}: an int from 0 to {most}")
    return int(value)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}…"


def _wrong(name: str, value: object, wanted: str) -> ManifestError:
    return ManifestError(f"{name} is {_shown(value)} ({type(value).__name__}), not {wanted}")
