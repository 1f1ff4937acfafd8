"""Files given in place of a manifest or a saved plan: each is named, and only its beginning is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.content.file_kinds import head_of, refuse_other_than_manifest, refuse_other_than_plan
from ntfsbuild.errors import ManifestError

MANIFEST = b"ntfsbuild: 1\ntree: {a.txt: hi}\n"
PLAN = b'{"ntfsbuild_plan": 1, "manifest": "m.yaml"}\n{"op": "commit"}\n'


def sector(at: int, magic: bytes) -> bytes:
    data = bytearray(8192)
    data[510:512] = b"\x55\xaa"
    data[at : at + len(magic)] = magic
    return bytes(data)


def a_tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return data.getvalue()


def a_zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.txt", "hi")
    return data.getvalue()


IMAGES = {
    "an NTFS volume": sector(0, b"\xeb\x52\x90NTFS    "),
    "an exFAT volume": sector(0, b"\xeb\x76\x90EXFAT   "),
    "a BitLocker volume": sector(0, b"\xeb\x58\x90-FVE-FS-"),
    "a FAT volume": sector(82, b"FAT32   "),
    "an MBR disk": sector(450, b"\x07"),
    "a GPT disk": sector(512, b"EFI PART"),
    "a VHDX image": b"vhdxfile" + bytes(5000),
    "a VHD image": b"conectix" + bytes(5000),
    "a qcow2 image": b"QFI\xfb" + bytes(5000),
    "a VMDK image": b"KDMV" + bytes(5000),
    "a VDI image": b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe",
    "an empty image (it begins with zeros)": bytes(8192),
}
ARCHIVES = {
    "a tar archive": a_tar(),
    "a gzip file": gzip.compress(a_tar()),
    "an xz file": lzma.compress(a_tar()),
    "a bzip2 file": bz2.compress(a_tar()),
    "a zstd file": b"\x28\xb5\x2f\xfd" + bytes(range(100)),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(100),
    "a zip archive": a_zip(),
}


def refused(check: Callable[[bytes, str], None], data: bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        check(head_of(io.BufferedReader(io.BytesIO(data))), "f")  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("kind", [*IMAGES, *ARCHIVES])
def test_every_kind_is_named(kind: str) -> None:
    more = "; the manifest comes first" if kind in IMAGES else ""
    data = IMAGES.get(kind) or ARCHIVES[kind]
    assert refused(refuse_other_than_manifest, data) == f"f is {kind}, not a manifest{more}"
    assert refused(refuse_other_than_plan, data) == f"f is {kind}, not a saved plan"


def test_a_descriptor_of_vmdk_is_text() -> None:
    said = refused(refuse_other_than_manifest, b"# Disk DescriptorFile\nversion=1\n")
    assert said == "f is a VMDK image, not a manifest; the manifest comes first"


@pytest.mark.parametrize(
    "manifest", [MANIFEST, b"# made by hand\n" + MANIFEST, b'{"ntfsbuild": 1}', b"{\n  ntfsbuild: 1}"]
)
def test_the_one_for_the_other(manifest: bytes) -> None:
    assert refused(refuse_other_than_manifest, PLAN) == "f is a saved plan, not a manifest: use execute"
    assert refused(refuse_other_than_plan, manifest) == "f is a manifest, not a saved plan: use build"
    refuse_other_than_manifest(manifest, "f")
    refuse_other_than_plan(PLAN, "f")


@pytest.mark.parametrize("kind", [*IMAGES, *ARCHIVES])
def test_text_is_no_image_whatever_stands_in_it(kind: str) -> None:
    data = IMAGES.get(kind) or ARCHIVES[kind]
    text = data.decode("ascii", "replace").replace("\0", " ").encode()
    refuse_other_than_manifest(text, "f")


def test_other_streams_have_no_head() -> None:
    assert head_of(io.BytesIO(b"hi")) == b""
    refuse_other_than_manifest(b"", "f")
    refuse_other_than_plan(b"", "f")


def test_of_a_huge_image_only_the_beginning_is_read(tmp_path: Path) -> None:
    from ntfsbuild.manifest import load

    image = tmp_path / "disk.img"
    with image.open("wb") as stream:
        stream.write(IMAGES["an NTFS volume"])
        stream.truncate(1 << 42)
    with pytest.raises(ManifestError, match=r"disk.img is an NTFS volume, not a manifest; the manifest"):
        load(image)
