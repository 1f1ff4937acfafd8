"""Single facts about a volume, by `struct` alone: so that tests know that they test what they mean."""

import contextlib
import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from tests.oracle.accounting import CLUSTER_BITMAP, text
from tests.oracle.bare import BITMAP, BLOCKS, DATA, LIST, NAME, RECORD_MASK, ROOT, Bare
from tests.oracle.books import INFORMATION, Books

# Times and attributes, the list itself, names (there are several), content, and the index.
CHANGING = {INFORMATION, LIST, NAME, DATA, ROOT, BLOCKS, BITMAP}


@contextlib.contextmanager
def _books(image: Path) -> "Iterator[Books]":
    with image.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield Books(Bare(data))  # type: ignore[arg-type]


def fingerprints(image: Path) -> dict[int, tuple[str, str]]:
    """Of each record in use: a name of its file, and a digest of its bytes, slack and all."""
    found = {}
    with _books(image) as books:
        size = books.volume.record_bytes
        mft = books.volume.content(books.volume.mft_pieces())
        for number, record in books.records.items():
            names = books.files[record.base & RECORD_MASK or number].get((NAME, ""), [])
            digest = hashlib.sha256(mft[number * size : (number + 1) * size]).hexdigest()
            found[number] = text((names[0].value or b"")[0x40:]) if names else "", digest
    return found


def kept_attributes(image: Path) -> dict[int, dict[tuple[int, str], str]]:
    """Digests of what a change of content or of a directory has no business with, by base record."""
    found: dict[int, dict[tuple[int, str], str]] = {}
    with _books(image) as books:
        for number, pieces in books.files.items():
            found[number] = {
                key: hashlib.sha256(books.volume.content(parts)).hexdigest()
                for key, parts in pieces.items()
                if key[0] not in CHANGING
            }
    return found


def extensions(image: Path) -> int:
    """How many records are not the first of their file."""
    with _books(image) as books:
        return sum(bool(record.base) for record in books.records.values())


def listed_files(image: Path) -> set[int]:
    """The records that have an $ATTRIBUTE_LIST."""
    with _books(image) as books:
        return {number for number, pieces in books.files.items() if (LIST, "") in pieces}


def free_clusters(image: Path) -> int:
    with _books(image) as books:
        bits = books.bits(books.content(CLUSTER_BITMAP, DATA))
        return books.volume.clusters - sum(bit < books.volume.clusters for bit in bits)


def layout_of_mft(image: Path) -> tuple[int, int]:
    """In how many pieces (records) and runs $MFT lies."""
    with _books(image) as books:
        pieces = books.files[0][DATA, ""]
        return len(pieces), sum(len(piece.runs) for piece in pieces)
