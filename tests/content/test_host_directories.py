"""Directories of the host are opened without following a link: what is opened is what was looked up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.content.host_directories import OpenDirectories, open_directories
from ntfsbuild.content.host_file import OPEN_FLAGS, open_path, pieces
from ntfsbuild.errors import ManifestError

# Exchanges a directory for a link to another one and back, again and again.
SWAP = """
import os, random, sys, time
directory, outside = sys.argv[1:]
dice = random.Random(1)
while os.getppid() == int(os.environ["SWAPPED_FOR"]):
    os.rename(directory, directory + ".away")
    os.symlink(outside, directory)
    time.sleep(dice.choice((0, 0.0002, 0.001)))
    os.unlink(directory)
    os.rename(directory + ".away", directory)
    time.sleep(dice.choice((0, 0.001, 0.01, 0.05)))
"""


def content(directories: OpenDirectories, path: Path) -> bytes:
    descriptor = directories.open(os.fsencode(path), OPEN_FLAGS)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_files_are_opened_wherever_they_lie(tmp_path: Path) -> None:
    paths = [tmp_path / each for each in ("a/b/c/1", "a/b/c/2", "a/b/3", "a/b2/4", "5", "a/b/c/6", "ab/7")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    with open_directories() as directories:
        assert [content(directories, path) for path in paths] == [path.name.encode() for path in paths]
        assert directories.status(b"/").st_ino == os.stat("/").st_ino
        with open_directories() as same:
            assert same is directories
    assert not before or len(os.listdir("/proc/self/fd")) == len(before)


def test_a_failure_leaves_everything_usable(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("c")
    with open_directories() as directories:
        for path, failure in {"a/none/x": FileNotFoundError, "a/b/c/d": NotADirectoryError}.items():
            for _ in range(2):
                with pytest.raises(failure):
                    content(directories, tmp_path / path)
            assert content(directories, tmp_path / "a/b/c") == b"c"


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/c"])
def test_no_part_of_a_path_may_be_a_link(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    for folder in (outside, tmp_path / "a/b"):
        folder.mkdir(parents=True)
        for name in ("b/c", "c"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("secret")
    path = os.fsencode(tmp_path / "a/b/c")
    os.close(open_path(path, OPEN_FLAGS))
    (tmp_path / link).rename(tmp_path / "away")
    (tmp_path / link).symlink_to(outside / "c" if link.endswith("c") else outside)
    with pytest.raises(ManifestError, match="symbolic link"):
        list(pieces(path, None))


def test_threads_have_their_own(tmp_path: Path) -> None:
    found = []
    with open_directories() as mine:
        thread = threading.Thread(target=lambda: found.append(open_directories().__enter__()))
        thread.start()
        thread.join()
    assert found[0] is not mine
    found[0].close()


@contextmanager
def swapping(directory: Path, outside: Path) -> Iterator[None]:
    environment = {**os.environ, "SWAPPED_FOR": str(os.getpid())}
    with subprocess.Popen([sys.executable, "-c", SWAP, directory, outside], env=environment) as process:
        try:
            yield
        finally:
            process.kill()


def test_a_directory_that_is_exchanged_for_a_link_while_it_is_read_leads_nowhere(tmp_path: Path) -> None:
    outside, project = tmp_path / "outside", tmp_path / "project"
    for folder, text in ((outside, "FROM OUTSIDE"), (project / "source/d", "from inside")):
        (folder / "sub").mkdir(parents=True)
        for number in range(20):
            (folder / f"{number:02}.txt").write_text(text * 100)
            (folder / f"sub/{number:02}.txt").write_text(text * 100)
    (outside / "secret.txt").write_text("")
    manifest = project / "disk.yaml"
    manifest.write_text(
        "ntfsbuild: 1\ntree:\n  all/: {.: {source: source}}\n  one.txt: {source: source/d/00.txt}\n"
        "  kept/: {.: {source: source, symlinks: ntfs}}\n"
    )
    built, image = 0, project / "disk.img"
    with swapping(project / "source/d", outside):
        for _ in range(120):
            try:
                ntfsbuild.build(manifest, image)
            except ManifestError:
                continue
            built += 1
            data = image.read_bytes()
            assert b"FROM OUTSIDE" not in data
            assert "secret.txt".encode("utf-16-le") not in data
    assert built, "not one build saw the directory at rest"
