"""Judges raw values of traits, which go to the volume as they are: each must be well-formed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import extended_attributes, object_id, reparse_point, security_descriptor
from ntfsbuild.ondisk.efs import decode_efs
from ntfsbuild.ondisk.traits import Traits


def _wrong_ea(value: bytes) -> str | None:
    return extended_attributes.what_is_wrong(extended_attributes.unpack(value))


def _wrong_efs(value: bytes) -> str | None:
    decode_efs(value)
    return None


_JUDGES: dict[str, Callable[[bytes], str | None]] = {
    "security": security_descriptor.what_is_wrong,
    "reparse": partial(reparse_point.what_is_wrong, layout=False),
    "ea": _wrong_ea,
    "unix": _wrong_ea,
    "object_id": object_id.what_is_wrong,
    "efs": _wrong_efs,
}
RAW_TRAITS = tuple(_JUDGES)
_NOT_REMOVABLE = frozenset(["security"])


def wrong_trait(traits: Traits) -> tuple[str, str] | None:
    """The first trait whose value is malformed, and why; None if all are sound.

    An empty value removes the attribute, and is not malformed; a security descriptor cannot be removed.
    """
    for name, judge in _JUDGES.items():
        value: bytes | None = getattr(traits, name)
        if value is None or not (value or name in _NOT_REMOVABLE):
            continue
        try:
            problem = judge(value)
        except (ValueError, CorruptVolume) as error:
            problem = str(error)
        if problem:
            return name, problem
    return None
