"""Traits given to files on a volume in memory, and read back."""

from __future__ import annotations

from typing import Any

import pytest

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import reparse_point, sddl
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.write.traits import TraitWriter
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import LATER, TIMES, made_file, open_writer, resident

EA = b"\0\0\0\0\0\x04\x05\0NAME\0value"
SYMLINK = reparse_point.symlink("..\\target")
OBJECT_ID = bytes(range(16))


@pytest.fixture(name="writer")
def _writer() -> Writer:
    writer = open_writer()
    made_file(writer, "a", resident(b"x"))
    return writer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ea", EA),
        ("reparse", SYMLINK),
        ("object_id", OBJECT_ID),
        ("usn", 77),
        ("owner_id", 9),
        ("entry_times", (1, None, None, 4)),
        ("name_times", (1, 2, 3, 4)),
        ("security", sddl.parse("O:SYG:SYD:(A;;FA;;;BA)")),
    ],
)
def test_what_is_set_is_read_back_before_and_after_the_commit(writer: Writer, name: str, value: Any) -> None:
    writer.set_traits("/a", Traits(**{name: value}), LATER)
    for _ in range(2):
        found = getattr(writer.reader.traits("/a"), name)
        if name in ("entry_times", "name_times"):
            assert all(mine in (None, other) for mine, other in zip(value, found, strict=True))
        elif name == "security":
            assert found is not None and found.endswith(value[-24:])
        else:
            assert found == value
        writer.commit()


def test_bits_follow(writer: Writer) -> None:
    writer.set_traits("/a", Traits(reparse=SYMLINK), LATER)
    assert writer.reader.stat("/a").attributes & FileAttributes.REPARSE_POINT
    writer.set_traits("/a", Traits(reparse=b""), LATER)
    assert not writer.reader.stat("/a").attributes & FileAttributes.REPARSE_POINT
    assert writer.reader.traits("/a").reparse is None


def test_an_object_id_is_there_once(writer: Writer) -> None:
    made_file(writer, "b")
    writer.set_traits("/a", Traits(object_id=OBJECT_ID), LATER)
    with pytest.raises(ManifestError, match="another file of the volume has this object id"):
        writer.set_traits("/b", Traits(object_id=OBJECT_ID), LATER)


def test_cases_are_told_apart_by_directories_only(writer: Writer) -> None:
    parts = TraitWriter(writer.transaction, writer.secure)
    directory = writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    parts.apply_traits(directory, Traits(case_sensitive=True))
    assert writer.reader.traits("/d").case_sensitive
    with pytest.raises(VolumeError, match="only directories tell names apart by case"):
        parts.apply_traits(writer.names.file_at("/a"), Traits(case_sensitive=True))
