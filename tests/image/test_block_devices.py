"""A block device is an image, too: read, copied, and changed in place with its journal elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError
from ntfsbuild.image.copying import copy_image
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.open_file import OpenFile
from tests.image.conftest import IMAGE_BYTES, change, changed, content
from tests.image.faults import Killed, count_calls, every_fault, inject

OLD = content()


@pytest.fixture
def device(image: Path) -> Iterator[str]:
    """A loop device of the image; root can have one where the kernel has any left."""
    tool = shutil.which("losetup", path="/usr/sbin:/sbin:/usr/bin")
    if os.geteuid() or not tool:
        pytest.skip("losetup is missing, or must be run as root")
    made = subprocess.run([tool, "-f", "--show", image], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(made.stderr)
    name = made.stdout.strip()
    assert stat.S_ISBLK(os.stat(name).st_mode)
    try:
        yield name
    finally:
        subprocess.run([tool, "-d", name], check=True)


def test_its_size_and_content(device: str) -> None:
    with ImageFile.open(device) as file:
        assert file.size_bytes == IMAGE_BYTES
        assert file.journal_path is None
        assert file.read(0, IMAGE_BYTES + 1) == OLD


def test_a_copy(device: str, tmp_path: Path) -> None:
    with ImageFile.open(device) as file, (tmp_path / "copy.img").open("w+b") as copy:
        copy_image(OpenFile(file.descriptor, device), OpenFile(copy.fileno(), "copy"))
    assert (tmp_path / "copy.img").read_bytes() == OLD


def test_a_journal_must_be_said(device: str) -> None:
    with (
        ImageFile.open(device, writable=True) as file,
        pytest.raises(HostError, match="is not a regular file: say where its journal may lie"),
    ):
        JournaledStorage(file)


def test_whatever_goes_wrong(device: str, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")

    def change_it() -> None:
        file = ImageFile.open(device, writable=True, journal_path=journal)
        with JournaledStorage(file, staged_bytes_max=16 * 4096) as storage:
            storage.declare_free(4096, 4096)
            storage.zero(4096, 4096)
            change(storage)
            storage.commit()

    new = changed(OLD)
    faults = every_fault(count_calls(change_it))
    for fault in list(faults)[::5]:
        with ImageFile.open(device, writable=True) as file:
            file.write(0, OLD)
        with contextlib.suppress(Killed, HostError), inject(fault):
            change_it()
        with ImageFile.open(device, journal_path=journal, writable=True) as file:
            now = file.read(0, IMAGE_BYTES)
        assert now[:4096] + now[8192:] in (OLD[:4096] + OLD[8192:], new[:4096] + new[8192:]), fault
        assert not os.path.exists(journal)
