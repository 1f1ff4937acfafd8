"""What a file is by its first bytes: names what was given in place of a manifest or a saved plan."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, Final

from ntfsbuild.errors import ManifestError

_HEAD_BYTES: Final = 4096 + 512
_SECTOR_BYTES = 512
GZIP: Final = b"\x1f\x8b"
XZ: Final = b"\xfd7zXZ\0"
BZIP2: Final = b"BZh"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_VMDK = "a VMDK image"
_VMDK_DESCRIPTOR = b"# Disk DescriptorFile"  # Text; the data is in other files.

_IMAGES: tuple[tuple[int, bytes, str], ...] = (
    (3, b"NTFS    ", "an NTFS volume"),
    (3, b"EXFAT   ", "an exFAT volume"),
    (3, b"-FVE-FS-", "a BitLocker volume"),
    (54, b"FAT", "a FAT volume"),
    (82, b"FAT32", "a FAT volume"),
    (0, b"vhdxfile", "a VHDX image"),
    (0, b"conectix", "a VHD image"),
    (0, b"QFI\xfb", "a qcow2 image"),
    (0, b"KDMV", _VMDK),
    (64, b"\x7f\x10\xda\xbe", "a VDI image"),
    (512, b"EFI PART", "a GPT disk"),
    (4096, b"EFI PART", "a GPT disk"),
    (510, b"\x55\xaa", "an MBR disk"),
)
_ARCHIVES: tuple[tuple[int, bytes, str], ...] = (
    (257, b"ustar", "a tar archive"),
    (0, GZIP, "a gzip file"),
    (0, XZ, "an xz file"),
    (0, ZSTD, "a zstd file"),
    (0, BZIP2, "a bzip2 file"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"PK\x03\x04", "a zip archive"),
)
_MANIFEST = re.compile(rb"""^\s*\{?\s*["']?ntfsbuild["']?\s*:""", re.MULTILINE)
_PLAN = re.compile(rb'\s*\{\s*"ntfsbuild_plan"\s*:')


def refuse_other_than_manifest(head: bytes, file: str) -> None:
    """Raise ManifestError for what is known to be no manifest; it need not be one otherwise."""
    if _PLAN.match(head):
        raise ManifestError(f"{file} is a saved plan, not a manifest: use execute")
    if kind := _image(head):
        raise ManifestError(f"{file} is {kind}, not a manifest; the manifest comes first")
    if kind := _archive(head):
        raise ManifestError(f"{file} is {kind}, not a manifest")


def refuse_other_than_plan(head: bytes, file: str) -> None:
    """Raise ManifestError for what is known to be no saved plan; it need not be one otherwise."""
    if _MANIFEST.search(head):
        raise ManifestError(f"{file} is a manifest, not a saved plan: use build")
    if kind := _image(head) or _archive(head):
        raise ManifestError(f"{file} is {kind}, not a saved plan")


def head_of(stream: IO[bytes]) -> bytes:
    """The first bytes of a stream that stay unread; of an image, no more may be read into memory."""
    return stream.peek(_HEAD_BYTES)[:_HEAD_BYTES] if isinstance(stream, io.BufferedReader) else b""


def _image(head: bytes) -> str:
    if _is_text(head):
        return _VMDK if head.startswith(_VMDK_DESCRIPTOR) else ""
    if len(head) >= _SECTOR_BYTES and not any(head):
        return "an empty image (it begins with zeros)"
    return _known(head, _IMAGES)


def _archive(head: bytes) -> str:
    return "" if _is_text(head) else _known(head, _ARCHIVES)


def _known(head: bytes, kinds: tuple[tuple[int, bytes, str], ...]) -> str:
    return next((kind for at, magic, kind in kinds if head.startswith(magic, at)), "")


def _is_text(head: bytes) -> bool:
    """Whether this begins as text does, in which the same bytes may stand; its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
