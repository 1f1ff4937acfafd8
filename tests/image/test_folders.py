"""New folders of the host: whatever ends a process, nothing of it stays for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError
from ntfsbuild.image.folders import new_folder

WAITS = """
import sys
from ntfsbuild.image.folders import new_folder
with new_folder(sys.argv[1]) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def waiting(target: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def dug(folder: Path, depth: int) -> None:
    """A chain of directories that is longer than a path may be."""
    top = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("directory", dir_fd=top)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=top))
        below = os.open("directory", os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)


def test_the_folder_of_a_killed_process_goes_with_the_next_one(tmp_path: Path) -> None:
    process, left = waiting(tmp_path / "one")
    dug(left, 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert left.is_dir()
    with new_folder(tmp_path / "two"):
        assert not left.exists()
    assert os.listdir(tmp_path) == ["two"]


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    process, used = waiting(tmp_path / "one")
    (used / "file").touch()
    with new_folder(tmp_path / "two"):
        pass
    assert (used / "file").exists()
    process.communicate("")
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_what_others_have_left_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    (tmp_path / ".ntfsbuild-link.part").symlink_to("elsewhere")
    (tmp_path / ".ntfsbuild-file.part").touch()
    (tmp_path / ".ntfsbuild-shared.part").mkdir()
    (tmp_path / ".ntfsbuild-shared.part").chmod(0o777)
    with new_folder(tmp_path / "new"):
        pass
    assert len(os.listdir(tmp_path)) == 5 and (tmp_path / "elsewhere/file").exists()


def test_a_deep_tree_goes_when_filling_it_fails(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="broken"), new_folder(tmp_path / "new") as folder:
        dug(Path(folder), 3000)
        (Path(folder) / "link").symlink_to(tmp_path)
        (Path(folder) / "directory").chmod(0)
        raise OSError(5, "broken")
    assert os.listdir(tmp_path) == []


def test_a_new_folder_may_be_read_by_all(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new"):
        pass
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
