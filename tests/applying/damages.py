"""Volumes that must not be changed: patched behind everybody's back, or filled with what forbids it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import ntfsbuild
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.runs import Run, encode_runs
from ntfsbuild.volume.opening import Volume
from tests.applying.contents import write_manifest

PAGE = 4096
DIRTY = 1
NOBODY, CLEAN = 0xFFFF, 2


class Patient:
    """A bare volume in a file, seen from below."""

    def __init__(self, image: Path) -> None:
        self.image = image
        with Volume.open(image) as volume:
            self.cluster_bytes = volume.geometry.cluster_bytes
            self.record_bytes = volume.geometry.record_bytes

    def patch(self, at: int, data: bytes) -> None:
        with self.image.open("r+b") as out:
            out.seek(at)
            out.write(data)

    def read(self, at: int, size_bytes: int) -> bytes:
        return self.image.read_bytes()[at : at + size_bytes]

    def runs(self, path: str) -> tuple[Run, ...]:
        with Volume.open(self.image) as volume:
            return volume.stat(path).streams[0].runs

    def place(self, path: str, at: int = 0) -> int:
        """Where byte `at` of a file lies in the image; all of it is in one run."""
        (lcn, _), *_ = self.runs(path)
        assert lcn is not None
        return lcn * self.cluster_bytes + at

    def record(self, path: str) -> int:
        """Where the record of a file lies in the image."""
        with Volume.open(self.image) as volume:
            number = volume.stat(path).record
        return self.place("/$MFT", number * self.record_bytes)

    def value(self, path: str, type_code: int) -> int:
        """Where the value of a resident attribute lies in the image."""
        at = self.record(path)
        data = self.read(at, self.record_bytes)
        place = int.from_bytes(data[0x14:0x16], "little")
        while int.from_bytes(data[place : place + 4], "little") != type_code:
            place += int.from_bytes(data[place + 4 : place + 8], "little")
        return at + place + int.from_bytes(data[place + 0x14 : place + 0x16], "little")

    def clear_bits(self, place: int, first: int, count: int) -> None:
        """In a bitmap that begins at a place of the image."""
        for bit in range(first, first + count):
            (byte,) = self.read(place + bit // 8, 1)
            self.patch(place + bit // 8, bytes([byte & ~(1 << bit % 8)]))

    def put(self, **tree: object) -> None:
        """Lay files over the volume."""
        manifest = write_manifest(self.image.with_suffix(".put.yaml"), tree=tree)
        ntfsbuild.apply(manifest, self.image)
        manifest.unlink()


# ---- what says that somebody else has not finished


def mark_dirty(patient: Patient) -> None:
    patient.patch(patient.value("/$Volume", attribute.VOLUME_INFORMATION) + 10, bytes([DIRTY]))


def unknown_version(patient: Patient) -> None:
    patient.patch(patient.value("/$Volume", attribute.VOLUME_INFORMATION) + 8, bytes([4, 0]))


def hibernate(patient: Patient) -> None:
    patient.put(**{"hiberfil.sys": {"text": "hibr" + "\0" * 8188}})


def restart_page(lsn: int, client: int, flags: int) -> bytes:
    """A page of a log, as Windows makes it; `client` is the first in use."""
    page = bytearray(PAGE)
    page[:4] = b"RSTR"
    struct.pack_into("<HHQIIHhh", page, 4, 0x1E, 9, 0, PAGE, PAGE, 0x30, 1, 1)
    struct.pack_into("<QHHHHIHHQ", page, 0x30, lsn, 1, 0xFFFF, client, flags, 45, 0xE0, 0x40, 2 << 20)
    struct.pack_into("<QQHHH6xI8s", page, 0x70, lsn, lsn, 0xFFFF, 0xFFFF, 0, 8, "NTFS".encode("utf-16-le"))
    number = b"\x01\x00"
    for stride in range(1, 9):
        end = 512 * stride - 2
        page[0x1E + 2 * stride : 0x20 + 2 * stride] = page[end : end + 2]
        page[end : end + 2] = number
    page[0x1E:0x20] = number
    return bytes(page)


def log_of(*pages: bytes) -> Callable[[Patient], None]:
    """A log that begins with these pages."""

    def write(patient: Patient) -> None:
        patient.patch(patient.place("/$LogFile"), b"".join(pages))

    return write


# ---- damage on the way


def tear_record(path: str) -> Callable[[Patient], None]:
    def tear(patient: Patient) -> None:
        patient.patch(patient.record(path) + 510, b"\xee\xee")

    return tear


def free_record(path: str) -> Callable[[Patient], None]:
    """What a directory lists is said to be free."""

    def free(patient: Patient) -> None:
        patient.patch(patient.record(path) + 0x16, b"\0")

    return free


def damage_index_block(patient: Patient) -> None:
    names = {
        f"a name that takes some room, so that few fit into a block {number}": "x" for number in range(40)
    }
    patient.put(**{"crowd/": names})
    with Volume.open(patient.image, "r+") as volume:
        blocks = volume._transaction.state(volume.stat("/crowd").record).find(
            attribute.INDEX_ALLOCATION, "$I30"
        )
    assert blocks is not None
    assert blocks.runs[0][0] is not None
    patient.patch(blocks.runs[0][0] * patient.cluster_bytes + 1022, b"\xee\xee")


def free_clusters_of(path: str) -> Callable[[Patient], None]:
    """$Bitmap says that nobody has the clusters of a file."""

    def free(patient: Patient) -> None:
        for lcn, count in patient.runs(path):
            assert lcn is not None
            patient.clear_bits(patient.place("/$Bitmap"), lcn, count)

    return free


def free_in_mft_bitmap(patient: Patient) -> None:
    with Volume.open(patient.image, "r+") as volume:
        bitmap = volume._transaction.state(file_record.MFT).find(attribute.BITMAP)
        number = volume.stat("/large.bin").record
        assert bitmap is not None
    if bitmap.value is not None:
        place = patient.value("/$MFT", attribute.BITMAP)
    else:
        assert bitmap.runs[0][0] is not None
        place = bitmap.runs[0][0] * patient.cluster_bytes
    patient.clear_bits(place, number, 1)


def cut_off(patient: Patient) -> None:
    """The image ends before its volume does."""
    with patient.image.open("r+b") as out:
        out.truncate(patient.image.stat().st_size // 2)


def overwrite_boot_sector(patient: Patient) -> None:
    patient.patch(0, bytes(512))


def lead_astray(path: str) -> Callable[[Patient], None]:
    """The only run of a file leads behind the end of the volume."""

    def lead(patient: Patient) -> None:
        place = patient.record(path)
        ((lcn, count),) = patient.runs(path)
        record = patient.read(place, patient.record_bytes)
        at = record.index(encode_runs([(lcn, count)]))
        patient.patch(place + at, encode_runs([(0x7FFF, count)]))

    return lead


# ---- what there is


def is_dirty(patient: Patient) -> bool:
    (flags,) = patient.read(patient.value("/$Volume", attribute.VOLUME_INFORMATION) + 10, 1)
    return bool(flags & DIRTY)


def free_bytes(patient: Patient) -> int:
    with Volume.open(patient.image) as volume:
        bitmap = int.from_bytes(volume.read("/$Bitmap"), "little")
        count = volume.geometry.cluster_count
    return (count - (bitmap & (1 << count) - 1).bit_count()) * patient.cluster_bytes
