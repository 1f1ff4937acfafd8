"""Tags of reparse points whose file has its content somewhere else than in its unnamed stream."""

from __future__ import annotations

WOF = 0x80000017

_CLOUD, _CLOUD_MASK = 0x9000001A, 0xFFFF0FFF

# What the unnamed stream of such a file holds are zeros, or nothing.
_ELSEWHERE = {
    WOF: "Windows compressed it (WOF): its content is not in its main stream",
    0x80000013: "its content is deduplicated: it lies in the volume's chunk store",
    0x80000007: "its content lies in the single instance store",
    0xC0000004: "its content was moved to other storage (HSM)",
    0x80000006: "its content was moved to other storage (HSM)",
}


def where_content_is(tag: int) -> str | None:
    """Why the unnamed stream of a file with that tag is not its content; None where it is."""
    if tag & _CLOUD_MASK == _CLOUD:
        return "it is a placeholder: its content is in a cloud"
    return _ELSEWHERE.get(tag)
