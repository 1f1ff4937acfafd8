"""Two processes on one image: many may read, one may change, and nobody waits."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError, VolumeError
from ntfsbuild.image import locking
from ntfsbuild.image.image_file import ImageFile
from tests.image.conftest import change_in_place, content

CODE = """
import sys
from ntfsbuild.errors import HostError
from ntfsbuild.image.image_file import ImageFile
try:
    ImageFile.open(sys.argv[1], writable=sys.argv[2] == "write", exclusive=sys.argv[2] == "alone")
except HostError as error:
    print(error)
"""


def another_process(image: Path, way: str) -> str:
    """What another process is told that opens the image."""
    done = subprocess.run([sys.executable, "-c", CODE, image, way], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_readers_share(image: Path) -> None:
    with ImageFile.open(image), ImageFile.open(image):
        assert another_process(image, "read") == ""
        for way in ("write", "alone"):
            assert another_process(image, way) == f"{image}: is being read by another process"
    assert another_process(image, "write") == ""


@pytest.mark.parametrize("writable", [True, False])
def test_who_changes_is_alone(image: Path, writable: bool) -> None:
    with ImageFile.open(image, writable=writable, exclusive=not writable):
        for way in ("read", "write", "alone"):
            assert another_process(image, way) == f"{image}: is being changed by another process"
        with pytest.raises(HostError, match="is being changed"):
            ImageFile.open(image)
    assert another_process(image, "alone") == ""


def test_the_second_change_is_refused(image: Path) -> None:
    with ImageFile.open(image), pytest.raises(HostError, match="is being read by another process"):
        change_in_place(image)
    assert image.read_bytes() == content()


def test_an_image_that_is_replaced_while_it_is_opened(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was locked is then not what lies there."""
    new = image.with_name("new")
    new.write_bytes(b"new")
    real, left = fcntl.flock, [1]

    def replaced_meanwhile(descriptor: int, how: int) -> None:
        if left.pop() if left else 0:
            new.replace(image)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    with ImageFile.open(image) as file:
        assert file.read(0, 10) == b"new"


def test_hosts_without_locks_can_read_but_not_write(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unable)
    ImageFile.open(image).close()
    with pytest.raises(HostError, match="the host cannot lock it: No locks available"):
        ImageFile.open(image, writable=True)


def test_what_can_be_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(VolumeError, match="neither a file nor a block device"):
            locking.open_locked(path, writable=False, exclusive=False)
    with pytest.raises(HostError, match="Is a directory"):
        locking.open_locked(tmp_path, writable=False, exclusive=False)
    with pytest.raises(HostError, match="No such file"):
        locking.open_locked(tmp_path / "none", writable=True, exclusive=True)
    with pytest.raises(HostError, match="null byte"):
        locking.open_locked("a\0b", writable=True, exclusive=True)


def test_no_descriptor_is_left_open(image: Path, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for path, offset in [(image, 0), (tmp_path / "none", 0), (tmp_path, 0), (image, 1 << 40)]:
        with contextlib.suppress(HostError):
            ImageFile.open(path, offset=offset).close()
    with ImageFile.open(image, writable=True), pytest.raises(HostError):
        ImageFile.open(image)
    change_in_place(image)
    assert os.listdir("/proc/self/fd") == before
