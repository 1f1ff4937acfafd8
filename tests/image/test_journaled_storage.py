"""Storage that is changed whole or not at all: what it shows, what it writes when, what it refuses."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.errors import HostError
from ntfsbuild.image import syscalls
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.journal_file import journal_beside
from ntfsbuild.image.replacing import replacing
from tests.image.conftest import IMAGE_BYTES, change, changed, content, read_back
from tests.image.faults import count_calls, failing

SIZE = 40_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "zero", "copy", "free", "commit", "rollback"]),
        st.integers(0, SIZE),
        st.integers(0, 12_000),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 9000), st.integers(0, 3), st.sampled_from([1, 3, 1000]))
def test_any_sequence_does_what_it_would_do_to_a_plain_file(
    steps: list[tuple[str, int, int]], offset: int, less: int, staged_blocks: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "disk.img")
        path.write_bytes(bytes(offset) + bytes(range(251)) * 200)
        size = SIZE - less
        around = path.read_bytes()
        Path(folder, "source").write_bytes(bytes(range(2, 253)) * 50)
        source = os.open(Path(folder, "source"), os.O_RDONLY)
        file = ImageFile.open(path, offset=offset, size_bytes=size, writable=True)
        storage = JournaledStorage(file, staged_bytes_max=staged_blocks * 4096)
        now = bytearray(around[offset : offset + size])
        committed, known = bytes(now), bytearray(b"\1" * size)  # Bytes whose value is certain.
        for number, (what, at, count) in enumerate(steps):
            at = min(at, size)
            count = min(count, size - at)
            data = bytes([number % 251 + 1]) * count
            if what == "write":
                storage.write(at, data)
            elif what == "zero":
                storage.zero(at, count)
                data = bytes(count)
            elif what == "copy":
                data = os.pread(source, count, 0)
                assert storage.copy_from(source, 0, at, count) == count
            elif what == "free":
                storage.declare_free(at, count)
                known[max(at, 512) : at + count] = bytes(max(0, at + count - max(at, 512)))
                continue
            else:
                getattr(storage, what)()
                if what == "commit":
                    committed = bytes(now)
                else:
                    there = file.read(0, size)
                    states = zip(known, committed, there, strict=True)
                    now = bytearray(old if sure else new for sure, old, new in states)
                    committed = bytes(now)
                known = bytearray(b"\1" * size)
                assert storage.read(0, size) == now
                continue
            now[at : at + count] = data
            assert storage.read(0, size + 5) == now
            assert storage.read(at, 5000) == now[at : at + 5000]
        storage.close()
        os.close(source)
        after = read_back(path)
        assert len(after) == len(around)
        assert after[:offset] == around[:offset]
        assert after[offset + size :] == around[offset + size :]
        assert all(
            one == two for one, two, sure in zip(after[offset:], committed, known, strict=False) if sure
        )


def test_nothing_is_written_before_the_commit(image: Path) -> None:
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        assert count_calls(lambda: change(storage)) == 0
        assert image.read_bytes() == content()
        assert storage.read(0, IMAGE_BYTES) == changed(content())
    assert read_back(image) == content()


def test_what_stays_the_same_is_not_written(image: Path) -> None:
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.write(0, content())
        assert count_calls(storage.commit) == 0


def hole(image: Path, offset: int, size_bytes: int) -> bytes:
    """Make a region of an image a hole; returns the whole content."""
    with image.open("r+b") as file:
        syscalls.punch_hole(file.fileno(), offset, size_bytes)
    return image.read_bytes()


def test_a_hole_that_is_free_is_written_once_and_at_once(image: Path) -> None:
    hole(image, 4096, 65_536)
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.declare_free(4096, 65_536)
        assert count_calls(lambda: storage.write(4096, b"x" * 65_536)) == 1
        assert image.read_bytes()[4096:69_632] == b"x" * 65_536
        storage.write(0, b"y")
        assert count_calls(storage.commit) < 15
    assert not Path(journal_beside(image)).exists()
    assert image.read_bytes()[4096:69_632] == b"x" * 65_536


def test_a_hole_that_was_written_is_one_again_when_the_change_is_given_up(image: Path) -> None:
    before = hole(image, 4096, 65_536)
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.declare_free(4096, 32_768)
        storage.write(4096, b"x" * 65_536)
        storage.write(0, b"y")
        assert image.read_bytes()[4096:36_864] == b"x" * 32_768
    assert image.read_bytes() == before
    with image.open("rb") as file:
        assert os.lseek(file.fileno(), 4096, os.SEEK_DATA) == 69_632


def test_other_free_room_is_written_at_the_commit_and_not_saved(image: Path) -> None:
    before = image.read_bytes()
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.declare_free(4096, 65_536)
        assert count_calls(lambda: storage.write(4096, b"x" * 65_536)) == 0
        assert image.read_bytes() == before
        assert storage.read(4096, 65_536) == b"x" * 65_536
        assert count_calls(storage.commit) == 2  # One to write, one to sync: no journal.
    assert image.read_bytes() == before[:4096] + b"x" * 65_536 + before[69_632:]


def test_what_is_given_up_has_changed_no_byte(image: Path) -> None:
    before = image.read_bytes()
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.declare_free(4096, 65_536)
        storage.write(0, b"x" * 65_536)
        storage.zero(8192, 8192)
    assert image.read_bytes() == before


def test_what_is_in_the_journal_is_not_written_past_it(image: Path) -> None:
    """Else nobody would know this state of it, and take the journal for a stranger's."""
    with JournaledStorage(ImageFile.open(image, writable=True), staged_bytes_max=0) as storage:
        storage.write(4096, b"a" * 4096)
        storage.declare_free(4096, 4096)
        storage.write(4096, b"b" * 4096)
    assert read_back(image) == content()


def test_copying_ends_where_the_source_does(image: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"s" * 5000)
    with (tmp_path / "source").open("rb") as source, ImageFile.open(image, writable=True) as file:
        storage = JournaledStorage(file)
        storage.declare_free(4096, 4096)
        assert storage.copy_from(source.fileno(), 0, 3000, 9000) == 5000
        assert storage.read(3000, 5000) == b"s" * 5000
        storage.rollback()


def test_an_exception_undoes_the_change(image: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        JournaledStorage(ImageFile.open(image, writable=True), staged_bytes_max=4096) as storage,
    ):
        change(storage)
        assert Path(journal_beside(image)).exists()
        raise KeyboardInterrupt
    assert not Path(journal_beside(image)).exists()
    assert image.read_bytes() == content()


def test_after_a_failure_nothing_more_works(image: Path) -> None:
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        with pytest.raises(ValueError, match="lies outside of 200704 bytes"):
            storage.write(IMAGE_BYTES - 1, b"ab")
        with pytest.raises(HostError, match="an earlier write failed; the change was given up"):
            storage.commit()


def test_the_journal_has_the_mode_of_the_image(image: Path) -> None:
    image.chmod(0o600)
    with JournaledStorage(ImageFile.open(image, writable=True), staged_bytes_max=0) as storage:
        storage.write(0, b"x")
        assert Path(journal_beside(image)).stat().st_mode & 0o777 == 0o600


def test_images_that_cannot_be_changed_in_place(image: Path) -> None:
    with ImageFile.open(image) as file, pytest.raises(ValueError, match="for reading only"):
        JournaledStorage(file)
    os.link(image, image.with_name("other"))
    with ImageFile.open(image, writable=True) as file, pytest.raises(HostError, match="more than one name"):
        JournaledStorage(file)
    file = ImageFile.open(image, writable=True)
    file.journal_path = None
    with file, pytest.raises(HostError, match="say where its journal may lie"):
        JournaledStorage(file)


def test_an_image_that_was_replaced_meanwhile(image: Path) -> None:
    """Its journal would be taken for one of the new file."""
    with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
        storage.write(0, b"x")
        with replacing(image) as descriptor:
            os.write(descriptor, content())
        with pytest.raises(HostError, match="was removed or replaced by another process meanwhile"):
            storage.commit()
    assert read_back(image) == content()


def test_a_full_disk_in_the_middle_is_said(image: Path) -> None:
    with (
        JournaledStorage(ImageFile.open(image, writable=True), staged_bytes_max=4096) as storage,
        pytest.raises(
            HostError, match="No space left on device; the change is undone when the image is opened"
        ),
        failing(20, "enospc"),
    ):
        change(storage)
    assert read_back(image) == content()
