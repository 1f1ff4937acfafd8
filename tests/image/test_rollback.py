"""Journals that are damaged, of another image, or none at all: nothing is written that could be wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.errors import CorruptVolume, HostError, VolumeError
from ntfsbuild.image.copying import copy_image
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.journal_file import journal_beside
from ntfsbuild.image.journal_format import HEADER, MAGIC, JournalHeader
from ntfsbuild.image.open_file import OpenFile
from ntfsbuild.image.replacing import replacing
from tests.image.conftest import change_in_place, changed, content, put, read_back, read_only
from tests.image.faults import Killed, count_calls, failing

OLD = content()
NEW = changed(OLD)


@pytest.fixture
def journal(image: Path) -> Path:
    """That of a change that was killed after its last write."""
    calls = count_calls(lambda: change_in_place(image))
    put(image, OLD)
    with pytest.raises(Killed), failing(calls - 3, "kill"):
        change_in_place(image)
    assert image.read_bytes() == NEW
    return Path(journal_beside(image))


def refuses(image: Path, message: str, *, writable: bool = False) -> None:
    before = image.read_bytes()
    with pytest.raises(CorruptVolume, match=message):
        ImageFile.open(image, writable=writable)
    assert image.read_bytes() == before


def test_who_reads_the_image_reads_what_was_there_and_writes_nothing(image: Path, journal: Path) -> None:
    kept = journal.read_bytes()
    with ImageFile.open(image, offset=4096, size_bytes=4096) as file:
        assert file.read(0, 9000) == OLD[4096:8192]
        assert file.read(100, 50) == OLD[4196:4246]
    assert read_only(image) == OLD
    assert (image.read_bytes(), journal.read_bytes()) == (NEW, kept)


def test_a_copy_of_an_interrupted_image_is_the_old_one(image: Path, journal: Path, tmp_path: Path) -> None:
    with ImageFile.open(image) as file, (tmp_path / "copy.img").open("w+b") as out:
        copy = OpenFile(out.fileno(), "copy.img")
        copy_image(file.whole, copy)
        assert file.saved is not None
        file.saved.copy_to(copy)
    assert (tmp_path / "copy.img").read_bytes() == OLD


def test_who_is_about_to_write_undoes_it_first(image: Path, journal: Path) -> None:
    with ImageFile.open(image, writable=True) as file:
        assert file.read(0, len(OLD)) == OLD
        assert not journal.exists()


def test_who_is_about_to_replace_it_undoes_it_first(image: Path, journal: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(image):
        raise KeyboardInterrupt
    assert image.read_bytes() == OLD
    assert not journal.exists()


def test_a_journal_whose_image_is_gone_is_not_left_to_a_new_one(image: Path, journal: Path) -> None:
    image.rename(image.with_name("moved.img"))
    with pytest.raises(HostError, match="of an image that is not there any more"), replacing(image):
        pass
    assert journal.exists()
    assert not image.exists()


def test_an_image_that_cannot_be_written_can_be_read_and_not_replaced(
    image: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def read_only(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    message = (
        "Read-only file system; a change of it was interrupted, and must be undone before it can be replaced"
    )
    with pytest.raises(HostError, match=message):
        ImageFile.open(image, exclusive=True)
    with ImageFile.open(image) as file:
        assert file.read(0, len(OLD)) == OLD
    assert journal.exists()


def test_no_damage_goes_unseen(image: Path, journal: Path) -> None:
    whole = journal.read_bytes()
    used = _used(whole)
    places = [at for at in range(0, len(whole), 97) if at in used]
    for at in [*places, 0, 8, 12, HEADER.size, HEADER.size + 31, 512, 600]:
        if at not in used:
            continue
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        journal.write_bytes(damaged)
        refuses(image, "is damaged" if at else "does not begin as one")


def _used(journal: bytes) -> set[int]:
    """All but the rest of sectors, where nobody looks."""
    used, at = set(range(HEADER.size + 32)), 512
    while at < len(journal):
        body_bytes = int.from_bytes(journal[at + 16 : at + 24], "little")
        used |= {*range(at, at + 88), *range(at + 512, at + 512 + body_bytes)}
        at += 512 + body_bytes + -body_bytes % 512
    return used


def test_journals_that_were_cut_short(image: Path, journal: Path) -> None:
    whole = journal.read_bytes()
    for size in range(1100, len(whole) - 511, 1777):
        journal.write_bytes(whole[:size])
        refuses(image, "is not whole|is broken|neither as before nor as changed")


@pytest.mark.parametrize("batch", [0, 1])
def test_a_journal_that_lost_a_seal_is_kept(image: Path, journal: Path, batch: int) -> None:
    """What was sealed once is never taken for a change that did not begin."""
    whole = journal.read_bytes()
    seals = [at for at in range(0, len(whole), 512) if whole[at : at + 8] == b"NBSEALED"]
    assert len(seals) > 1
    at = seals[batch]
    for damaged in (whole[:at] + bytes(512) + whole[at + 512 :], whole[:at], whole[:at] + bytes(600)):
        journal.write_bytes(damaged)
        refuses(image, "sealed batches, and had")


@pytest.mark.parametrize("size", [9, 72, 103, 104, 255, 256, 300, 511, 512, 600, 1023])
def test_a_journal_that_is_cut_in_its_first_sectors_is_kept(image: Path, journal: Path, size: int) -> None:
    journal.write_bytes(journal.read_bytes()[:size])
    refuses(image, "is damaged")


@pytest.mark.parametrize("start", [b"", MAGIC, bytes(512), bytes(1024)])
def test_journals_in_which_nothing_is_sealed(image: Path, start: bytes) -> None:
    """Their change never began: the image is as it was."""
    Path(journal_beside(image)).write_bytes(start + (b"" if len(start) < 512 else bytes(512) + b"body"))
    assert read_back(image) == OLD


def test_other_versions(image: Path, journal: Path) -> None:
    data = journal.read_bytes()
    header = JournalHeader.unpack(data)
    assert header
    again = header._replace(version=2).pack()
    journal.write_bytes(again + data[len(again) :])
    refuses(image, "of version 2; 1 is the one that is understood")


def test_windows_that_no_image_has(image: Path, journal: Path) -> None:
    data = journal.read_bytes()
    header = JournalHeader.unpack(data)
    assert header
    again = header._replace(window_offset=512).pack()
    journal.write_bytes(again + data[len(again) :])
    refuses(image, "its window is larger than its image")


@pytest.mark.parametrize("writable", [False, True])
def test_the_journal_of_an_image_that_was_replaced(image: Path, journal: Path, writable: bool) -> None:
    put(image, OLD[:-512])
    refuses(image, "it was one of 200704 bytes, not 200192", writable=writable)
    put(image, bytes([OLD[0] ^ 1]) + OLD[1:])
    refuses(image, "neither as before nor as changed", writable=writable)
    put(image, OLD[:5000] + b"other" + OLD[5005:])
    refuses(image, "the sector at 4608 is neither as before nor as changed", writable=writable)
    put(image, OLD)
    assert read_back(image) == OLD


def test_an_image_with_another_first_sector(image: Path) -> None:
    def change() -> None:
        with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
            storage.write(8192, b"x")
            storage.commit()

    calls = count_calls(change)
    put(image, OLD)
    with pytest.raises(Killed), failing(calls - 2, "kill"):
        change()
    put(image, b"another" + OLD[7:])
    refuses(image, "its volume began with another sector at 0")


def test_journals_that_are_no_files(image: Path) -> None:
    journal = Path(journal_beside(image))
    journal.mkdir()
    refuses(image, "it is not a regular file")
    journal.rmdir()
    os.mkfifo(journal)
    refuses(image, "it is not a regular file")
    journal.unlink()
    journal.symlink_to(image)
    with pytest.raises(HostError, match="symbolic links"):
        ImageFile.open(image)


def test_the_journal_lies_beside_the_image_not_beside_a_link(image: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.img"
    link.parent.mkdir()
    link.symlink_to(image)
    calls = count_calls(lambda: change_in_place(link))
    put(image, OLD)
    with pytest.raises(Killed), failing(calls - 3, "kill"):
        change_in_place(link)
    assert Path(journal_beside(image)).exists()
    assert os.listdir(link.parent) == ["link.img"]
    assert read_back(image) == OLD


def test_a_journal_elsewhere(image: Path, tmp_path: Path) -> None:
    (tmp_path / "journals").mkdir()
    place = str(tmp_path / "journals" / "one")
    storage = JournaledStorage(ImageFile.open(image, writable=True, journal_path=place), staged_bytes_max=0)
    with pytest.raises(Killed), failing(8, "kill"), storage:
        storage.write(0, b"x" * 100_000)
    assert os.path.exists(place)
    with ImageFile.open(image, journal_path=place) as file:
        assert file.read(0, len(OLD)) == OLD
    assert os.path.exists(place)
    ImageFile.open(image, journal_path=place, writable=True).close()
    assert not os.path.exists(place)
    assert image.read_bytes() == OLD


# ---------------------------------------------------------------------- journals of strangers


def untrusted(image: Path, message: str) -> None:
    """Nobody takes it for a journal, to read or to write."""
    before, journal = image.read_bytes(), Path(journal_beside(image))
    kept = journal.read_bytes()
    for how in ({}, {"writable": True}, {"exclusive": True}):
        with pytest.raises(VolumeError, match="is not taken for one: " + message):
            ImageFile.open(image, **how)
    with pytest.raises(VolumeError, match=message), replacing(image):
        pass
    assert (image.read_bytes(), journal.read_bytes()) == (before, kept)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o622, 0o646])
def test_a_journal_that_others_may_write_does_not_count(image: Path, journal: Path, mode: int) -> None:
    journal.chmod(mode)
    untrusted(image, "others than its owner may write it")


def test_a_journal_with_two_names_does_not_count(image: Path, journal: Path) -> None:
    os.link(journal, journal.with_name("other"))
    untrusted(image, r"it has 2 names \(hard links\)")


def _owned(real: Callable[..., os.stat_result], files: dict[int, int]) -> Callable[..., os.stat_result]:
    """fstat, for which files (by inode) belong to other users."""

    def fstat(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        fields = list(found)
        fields[4] = files.get(found.st_ino, found.st_uid)
        return os.stat_result(fields)

    return fstat


@pytest.mark.parametrize(
    ("image_owner", "journal_owner", "caller", "counts"),
    [
        (1000, 1000, 1000, True),
        (1000, 1000, 2000, True),  # Who may read the image, and did not change it.
        (1000, 2000, 2000, True),  # Who may write the image of another one.
        (1000, 0, 2000, True),  # Root may write everything.
        (1000, 2000, 1000, False),
        (1000, 2000, 3000, False),
        (0, 2000, 0, False),
    ],
)
def test_a_journal_counts_for_the_owner_of_the_image_and_for_its_own(
    image: Path,
    journal: Path,
    image_owner: int,
    journal_owner: int,
    caller: int,
    counts: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owners = {image.stat().st_ino: image_owner, journal.stat().st_ino: journal_owner}
    monkeypatch.setattr(os, "fstat", _owned(os.fstat, owners))
    monkeypatch.setattr(os, "geteuid", lambda: caller)
    if counts:
        assert read_only(image) == OLD
    else:
        untrusted(image, f"it belongs to the user {journal_owner}, who neither owns the image nor opens it")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_planted_journal_changes_nothing(image: Path, journal: Path) -> None:
    os.chown(journal, 65534, 65534)
    untrusted(image, "it belongs to the user 65534")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o666])
def test_a_journal_of_ours_counts_whatever_the_mode_of_the_image(image: Path, mode: int) -> None:
    image.chmod(mode)
    before = os.umask(0)
    try:
        with pytest.raises(Killed), failing(count_calls(lambda: change_in_place(image)) - 3, "kill"):
            put(image, OLD)
            change_in_place(image)
    finally:
        os.umask(before)
    assert Path(journal_beside(image)).stat().st_mode & 0o777 == mode & 0o644
    assert read_back(image) == OLD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_journal_belongs_to_the_owner_of_the_image(image: Path) -> None:
    """Who else could not undo what root began."""
    calls = count_calls(lambda: change_in_place(image))
    put(image, OLD)
    os.chown(image, 65534, 65534)
    with pytest.raises(Killed), failing(calls - 3, "kill"):
        change_in_place(image)
    assert Path(journal_beside(image)).stat().st_uid == 65534
    assert read_back(image) == OLD
