"""Standard streams that are full, closed or gone: the exit code stays true, and no result is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Done, environment


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
