"""Windows of images, copies that nobody knows, and what they refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.private import PrivateImage
from ntfsbuild.image.raw import ChangeableStorage
from tests.image.conftest import IMAGE_BYTES, change, changed, content


def test_a_window_ends_where_it_ends(image: Path) -> None:
    with ImageFile.open(image, offset=1000, size_bytes=500) as file:
        assert (file.offset_bytes, file.size_bytes, file.image_bytes) == (1000, 500, IMAGE_BYTES)
        assert file.read(0, 9999) == content()[1000:1500]
        assert file.read(490, 20) == content()[1490:1500]
        assert file.read(500, 1) == file.read(501, 1) == b""
        file.narrow(2000)
        assert file.size_bytes == IMAGE_BYTES - 2000
        file.narrow(IMAGE_BYTES + 1)
        assert file.size_bytes == 0
        assert file.read(0, 1) == b""


def test_nothing_is_written_outside_of_the_window(image: Path) -> None:
    with ImageFile.open(image, offset=4096, size_bytes=8192, writable=True) as file:
        for offset, size_bytes in [(-1, 1), (8192, 1), (8000, 193)]:
            with pytest.raises(ValueError, match="lies outside of 8192 bytes"):
                file.write(offset, bytes(size_bytes))
            with pytest.raises(ValueError, match="lies outside of 8192 bytes"):
                file.zero(offset, size_bytes)
        file.set_size(8192)
        with pytest.raises(ValueError, match="8193 bytes do not fit"):
            file.set_size(8193)
        file.write(8000, b"x" * 192)
        file.zero(0, 8000)
    expected = content()[:4096] + bytes(8000) + b"x" * 192 + content()[12_288:]
    assert image.read_bytes() == expected


def test_a_copy_is_changed_as_it_is(image: Path) -> None:
    descriptor = os.open(image, os.O_RDWR)
    private = PrivateImage(descriptor, "copy")
    private.declare_free(0, 4096)
    change(private)
    private.commit()
    private.close()
    assert image.read_bytes() == changed(content())
    os.close(descriptor)  # Was still open.


def test_both_are_storage_that_can_be_changed(image: Path) -> None:
    def sizes(*storages: ChangeableStorage) -> set[int]:
        return {storage.size_bytes for storage in storages}

    descriptor = os.open(image, os.O_RDWR)
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        assert sizes(storage, PrivateImage(descriptor, "copy")) == {IMAGE_BYTES}
    os.close(descriptor)
