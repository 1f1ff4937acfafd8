"""Operations of a plan carried out on a volume in memory."""

from __future__ import annotations

import pytest

from ntfsbuild.content.model import Inline
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.execution import Execution
from ntfsbuild.ondisk import reparse_point
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.plan.features import Features
from ntfsbuild.plan.model import MakeDirectory, MakeFile, Operation
from ntfsbuild.volume.write.compression_units import one_by_one
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import TIMES, open_writer


def executed(*operations: Operation) -> Writer:
    writer = open_writer()
    Execution("m.yaml", writer, None, None, one_by_one).run(operations)
    writer.commit()
    return writer


def test_files_lie_as_their_directory_says_and_links_do_not() -> None:
    link = Features(traits=Traits(reparse=reparse_point.symlink("a")))
    writer = executed(
        MakeDirectory("/d", TIMES, 0, False, 0, Features(form="compressed")),
        MakeFile("/d/a", Inline(b"x" * 100), TIMES, 0x20, 0),
        MakeFile("/d/plain", Inline(b"y"), TIMES, 0x20, 0, Features(form="plain")),
        MakeFile("/d/link", Inline(b""), TIMES, 0x20, 0, link),
        MakeDirectory("/d/linked", TIMES, 0, False, 0, link),
    )
    compressed = {path: bool(item.attributes & 0x800) for path, item in writer.reader.walk()}
    assert compressed == {
        "/d": True, "/d/a": True, "/d/link": False, "/d/linked": False, "/d/plain": False,
    }  # fmt: skip
    assert writer.reader.read("/d/a") == b"x" * 100


def test_a_file_in_a_file_is_the_manifest_s_fault() -> None:
    with pytest.raises(ManifestError, match="/a: is not a directory"):
        executed(
            MakeFile("/a", Inline(b""), TIMES, 0x20, 0),
            MakeFile("/a/b", Inline(b""), TIMES, 0x20, 0),
        )
