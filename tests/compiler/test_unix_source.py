"""`unix: source`: owner, group and mode of everything that comes from a source."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.builder.planning import Planning
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import load
from ntfsbuild.ondisk import extended_attributes, reparse_point, unix_metadata
from ntfsbuild.ondisk.unix_metadata import UnixMetadata
from ntfsbuild.plan.features import NO_FEATURES
from ntfsbuild.plan.model import Keep, MakeDirectory, MakeFile, OpenBase, Operation, SetMetadata
from ntfsbuild.volume.opening import Volume
from tests.compiler.planning import planned, problems


def unix_of(operation: MakeFile | MakeDirectory) -> UnixMetadata | None:
    ea = operation.features.traits.unix
    return None if ea is None else unix_metadata.unix_metadata(extended_attributes.unpack(ea))


def make_tree(root: Path) -> None:
    (root / "dir").mkdir(parents=True)
    (root / "dir/run.sh").write_text("#!/bin/sh\n")
    (root / "empty").touch()
    (root / "link").symlink_to("empty")
    os.mkfifo(root / "dir/fifo", 0o600)
    for name, mode in (("dir", 0o1770), ("dir/run.sh", 0o4755), ("empty", 0o640), (".", 0o711)):
        os.chmod(root / name, mode)


def test_a_directory_of_the_host(tmp_path: Path) -> None:
    make_tree(tmp_path / "src")
    text = "  data/:\n    .: {source: src, symlinks: wsl, unix: source}\n    other: text\n    made/: {}\n"
    found = planned(tmp_path, text)
    owner, group = os.getuid(), os.lstat(tmp_path / "src/empty").st_gid
    expected = {
        "/data": stat.S_IFDIR | 0o711,
        "/data/dir": stat.S_IFDIR | 0o1770,
        "/data/dir/run.sh": stat.S_IFREG | 0o4755,
        "/data/dir/fifo": stat.S_IFIFO | 0o600,
        "/data/empty": stat.S_IFREG | 0o640,
        "/data/link": stat.S_IFLNK | 0o777,
    }
    for path, mode in expected.items():
        assert unix_of(found[path]) == UnixMetadata(owner, group, mode), path
    for path in ("/", "/data/other", "/data/made"):
        assert found[path].features is NO_FEATURES, path
    link = planned(tmp_path, text.replace("wsl", "ntfs, exclude: [fifo]"))["/data/link"]
    assert link.features.traits.reparse == reparse_point.symlink("empty")
    assert unix_of(link) == UnixMetadata(owner, group, stat.S_IFLNK | 0o777)
    followed = planned(tmp_path, text.replace("wsl", "follow, exclude: [fifo]"))["/data/link"]
    assert unix_of(followed) == UnixMetadata(owner, group, stat.S_IFREG | 0o640)


def pack(path: Path, **numbers: int) -> None:
    with tarfile.open(path, "w") as tar:
        for name, kind, mode in (
            ("dir", tarfile.DIRTYPE, 0o1770),
            ("dir/run.sh", tarfile.REGTYPE, 0o4755),
            ("dir/null", tarfile.CHRTYPE, 0o666),
            ("empty", tarfile.REGTYPE, 0o640),
            ("implied/file", tarfile.REGTYPE, 0o600),
            ("link", tarfile.SYMTYPE, 0o777),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, 1000, 100, "empty"
            info.devmajor, info.devminor = 1, 3
            for key, value in numbers.items():
                setattr(info, key, value)
            data = b"x" if name == "dir/run.sh" else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_an_archive(tmp_path: Path) -> None:
    pack(tmp_path / "src.tar")
    found = planned(tmp_path, "  .: {source: src.tar, symlinks: wsl, unix: source}\n")
    expected = {
        "/dir": UnixMetadata(1000, 100, stat.S_IFDIR | 0o1770),
        "/dir/run.sh": UnixMetadata(1000, 100, stat.S_IFREG | 0o4755),
        "/dir/null": UnixMetadata(1000, 100, stat.S_IFCHR | 0o666, (1, 3)),
        "/empty": UnixMetadata(1000, 100, stat.S_IFREG | 0o640),
        "/implied": None,  # Nobody knows.
        "/implied/file": UnixMetadata(1000, 100, stat.S_IFREG | 0o600),
        "/link": UnixMetadata(1000, 100, stat.S_IFLNK | 0o777),
        "/": None,
    }
    assert {path: unix_of(one) for path, one in found.items()} == expected


def test_numbers_that_wsl_does_not_hold(tmp_path: Path) -> None:
    pack(tmp_path / "src.tar", uid=1 << 33)
    found = problems(tmp_path, "  .: {source: src.tar, symlinks: wsl, unix: source, include: [empty, dir]}\n")
    assert {one.split(":", 1)[0] for one in found} == {
        "tree/dir",
        "tree/dir/run.sh",
        "tree/dir/null",
        "tree/empty",
    }
    assert all("unix: source: $LXUID holds numbers" in one for one in found)
    assert unix_of(planned(tmp_path, "  .: {source: src.tar, symlinks: wsl}\n")["/empty"]) is None


def test_what_is_said_wins(tmp_path: Path) -> None:
    make_tree(tmp_path / "src")
    (tmp_path / "file").touch(0o600)
    text = (
        "  .: {source: src, symlinks: wsl, unix: source}\n"
        "  dir/: {.: {unix: {uid: 7}}}\n"
        "  empty: {unix: {gid: 8}}\n"
        "  link: {source: file}\n"
    )
    found = planned(tmp_path, text)
    assert unix_of(found["/dir"]) == UnixMetadata(uid=7)
    assert unix_of(found["/empty"]) == UnixMetadata(gid=8)
    for path in ("/dir/run.sh", "/link"):
        there = unix_of(found[path])
        assert there is not None and there.mode is not None and stat.S_ISREG(there.mode)


def test_a_single_file(tmp_path: Path) -> None:
    make_tree(tmp_path / "src")
    found = planned(tmp_path, "  a: {source: src/dir/run.sh, unix: source}\n  b: {source: src/empty}\n")
    there = unix_of(found["/a"])
    assert there is not None and there.mode == stat.S_IFREG | 0o4755
    assert found["/b"].features is NO_FEATURES


@pytest.mark.parametrize("kind", ["src", "src.tar"])
def test_an_image_says_what_the_source_says(tmp_path: Path, kind: str) -> None:
    make_tree(tmp_path / "src")
    pack(tmp_path / "src.tar")
    (tmp_path / "disk.yaml").write_text(
        f"ntfsbuild: 1\ntree:\n  .: {{source: {kind}, symlinks: wsl, unix: source}}\n"
    )
    builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    expected = planned(tmp_path, f"  .: {{source: {kind}, symlinks: wsl, unix: source}}\n")
    with Volume.open(tmp_path / "disk.img") as volume:
        for path, one in expected.items():
            traits = volume.traits(path)
            assert traits.ea == one.features.traits.unix, path
            assert traits.reparse == one.features.traits.reparse, path


@pytest.mark.parametrize("on_conflict", ["replace", "error"])
def test_laid_over_a_volume_that_has_it_nothing_changes(tmp_path: Path, on_conflict: OnConflict) -> None:
    make_tree(tmp_path / "src")
    tree = "tree:\n  .: {source: src, symlinks: ntfs, exclude: [fifo], unix: source}\n"
    (tmp_path / "disk.yaml").write_text(f"ntfsbuild: 1\n{tree}")
    builder.build(tmp_path / "disk.yaml", tmp_path / "base.img")
    (tmp_path / "change.yaml").write_text(f"ntfsbuild: 1\nvolume: {{base: base.img}}\n{tree}")
    assert {type(one) for one in changes(tmp_path, on_conflict)} == {OpenBase, Keep}
    os.chmod(tmp_path / "src/dir", 0o700)
    os.chmod(tmp_path / "src/empty", 0o600)
    if on_conflict == "error":
        with pytest.raises(ManifestError, match="tree/dir: is there already with other times or attributes"):
            changes(tmp_path, on_conflict)
        return
    changed = [one for one in changes(tmp_path, on_conflict) if isinstance(one, SetMetadata)]
    assert [one.path for one in changed] == ["/dir", "/empty"]


def test_links_and_files_take_each_others_place_on_a_base(tmp_path: Path) -> None:
    (tmp_path / "src/dir").mkdir(parents=True)
    for name in ("stays", "link to dir", "retargeted"):
        (tmp_path / "src" / name).symlink_to("dir")
    (tmp_path / "src/file").write_text("file")
    tree = "tree:\n  .: {source: src, symlinks: ntfs}\n"
    (tmp_path / "disk.yaml").write_text(f"ntfsbuild: 1\n{tree}")
    builder.build(tmp_path / "disk.yaml", tmp_path / "base.img")
    (tmp_path / "change.yaml").write_text(f"ntfsbuild: 1\nvolume: {{base: base.img}}\n{tree}")
    for name, target in (("file", "stays"), ("link to dir", ""), ("retargeted", "./dir/../dir")):
        (tmp_path / "src" / name).unlink()
        if target:
            (tmp_path / "src" / name).symlink_to(target)
        else:
            (tmp_path / "src" / name).write_text("now a file")
    done = {(type(one).__name__, getattr(one, "path", "")) for one in changes(tmp_path, "replace")}
    assert done == {
        ("OpenBase", ""),
        ("Keep", "/"),
        ("Keep", "/dir"),
        ("Keep", "/stays"),
        ("Remove", "/file"),  # It becomes a link to a directory, which is one itself.
        ("MakeDirectory", "/file"),
        ("Remove", "/link to dir"),
        ("MakeFile", "/link to dir"),
        ("SetMetadata", "/retargeted"),
    }


def changes(folder: Path, on_conflict: OnConflict) -> list[Operation]:
    """The operations that lay the changed tree over base.img."""
    planning = Planning(load(folder / "change.yaml"), on_conflict, (), None)
    with Volume.open(folder / "base.img") as volume:
        return list(planning.plan(volume).operations)
