"""Standard streams that are full, closed or gone: the exit code stays true, and no result is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Done, environment


def shell(command: str, folder: Path) -> Done:
    line = command.replace("ntfsbuild", f"{sys.executable} -m ntfsbuild", 1)
    return subprocess.run(
        line, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("ntfsbuild build none.yaml -o x", 2),
        ("ntfsbuild build none.yaml -o x --json", 2),
        ("ntfsbuild build none.yaml -o x --debug", 2),
        ("ntfsbuild bild", 2),
        ("ntfsbuild ls none.img", 4),
        ("ntfsbuild ls disk.yaml", 3),
        ("ntfsbuild plan disk.yaml -o /tmp/../dev/null", 0),  # With a note on where the sources are.
    ],
)
def test_a_report_that_nobody_can_read_changes_no_exit_code(
    folder: Path, command: str, code: int, stderr: str
) -> None:
    done = shell(f"{command} {stderr}", folder)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("command", ["plan disk.yaml", "ls disk.img", "cat disk.img hello.txt", "--version"])
def test_a_result_for_a_closed_output_is_an_error(folder: Path, command: str) -> None:
    assert shell("ntfsbuild -q build disk.yaml -o disk.img >&-", folder).returncode == 0
    done = shell(f"ntfsbuild {command} >&-", folder)
    assert (done.returncode, done.stderr) == (4, "ntfsbuild: standard output is closed\n")


def test_an_error_for_a_closed_output_stays_what_it_was(folder: Path) -> None:
    done = shell("ntfsbuild build none.yaml -o x >&-", folder)
    assert (done.returncode, done.stderr) == (2, "ntfsbuild: none.yaml: no such file\n")


def test_a_plan_from_a_closed_input(folder: Path) -> None:
    done = shell("ntfsbuild execute - -o disk.img <&-", folder)
    assert (done.returncode, done.stderr) == (4, "ntfsbuild: standard input is closed\n")


def test_a_saved_file_follows_no_link_that_somebody_planted(folder: Path) -> None:
    (folder / "other").write_text("precious")
    for name in (".out.part", ".out.tmp"):
        (folder / name).symlink_to("other")
    assert shell("ntfsbuild plan disk.yaml -o out", folder).returncode == 0
    assert (folder / "out").read_text(encoding="utf-8").startswith('{"ntfsbuild_plan"')
    assert (folder / "other").read_text() == "precious"


def test_a_saved_file_may_have_the_longest_name(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    name = "n" * 255
    done = shell(f"ntfsbuild plan disk.yaml -o {name}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in folder.iterdir()} == {*before, name}


def test_a_file_that_cannot_be_saved_is_named(folder: Path) -> None:
    assert shell("ntfsbuild -q build disk.yaml -o disk.img", folder).returncode == 0
    for command in ("plan disk.yaml", "cat disk.img noise.bin"):
        done = shell(f"ntfsbuild {command} -o /dev/full", folder)
        assert (done.returncode, done.stderr) == (4, "ntfsbuild: /dev/full: No space left on device\n")
        done = shell(f"ntfsbuild {command} -o none/out", folder)
        assert (done.returncode, done.stderr) == (4, "ntfsbuild: none/out: No such file or directory\n")


def test_a_file_is_saved_into_a_pipe(folder: Path) -> None:
    done = shell("ntfsbuild plan disk.yaml -o /dev/stdout | cat", folder)
    assert done.stdout == shell("ntfsbuild plan disk.yaml --json", folder).stdout


def test_what_was_there_stays_when_saving_fails(folder: Path) -> None:
    assert shell("ntfsbuild -q build disk.yaml -o disk.img", folder).returncode == 0
    (folder / "out").write_text("old")
    before = sorted(path.name for path in folder.iterdir())
    assert shell("ulimit -f 1; ntfsbuild cat disk.img noise.bin -o out", folder).returncode == 4
    assert (folder / "out").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == before
