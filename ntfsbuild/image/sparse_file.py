"""Writes data at offsets to a new file of the host; what is not written, and zeros, become holes."""

from __future__ import annotations

import os
from collections.abc import Iterable

PIECE_BYTES = 1 << 20
ZEROS = bytes(PIECE_BYTES)  # A whole piece of zeros is not written.


def write_sparse(descriptor: int, data: Iterable[tuple[int, bytes]], size_bytes: int) -> None:
    """Write ascending data with offsets, in pieces of at most 1 MiB, to an empty file of that size."""
    end = 0
    for at, piece in data:
        if piece == ZEROS:
            continue
        end = at + len(piece)
        done = os.pwrite(descriptor, piece, at)
        while done < len(piece):
            done += os.pwrite(descriptor, memoryview(piece)[done:], at + done)
    if end != size_bytes:
        os.ftruncate(descriptor, size_bytes)
