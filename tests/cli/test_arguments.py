"""Paths and variables that are given: who is to blame for them, and that nothing waits for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ntfsbuild.cli import main
from tests.cli.conftest import Run
from tests.command import Done, start


@pytest.fixture(name="denied")
def _denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may read no file whose name begins with `locked`."""
    opened = os.open

    def refuse(path: object, *arguments: int, **options: int) -> int:
        if os.path.basename(os.fsdecode(path)).startswith("locked"):  # type: ignore[arg-type]
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **options)  # type: ignore[arg-type]

    def access(path: object, mode: int, **_: object) -> bool:
        return mode == os.F_OK or not os.path.basename(os.fsdecode(path)).startswith("locked")  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "access", access)


@pytest.mark.usefixtures("denied")
@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "locked.yaml"],
        ["build", "locked.yaml", "-o", "disk.img"],
        ["execute", "locked.jsonl", "-o", "disk.img"],
        ["ls", "locked.img"],
    ],
)
def test_a_file_that_may_not_be_read_is_the_hosts_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(folder)
    for name in ("locked.yaml", "locked.jsonl", "locked.img"):
        (folder / name).write_text("ntfsbuild: 1\n")
    assert main(arguments) == 4
    assert capsys.readouterr().err == f"ntfsbuild: {arguments[1]}: Permission denied\n"


@pytest.mark.usefixtures("denied")
def test_a_target_that_may_not_be_read_is_replaced(folder: Path) -> None:
    (folder / "locked.img").write_text("old")
    assert main(["-q", "build", str(folder / "disk.yaml"), "-o", str(folder / "locked.img")]) == 0
    assert (folder / "locked.img").stat().st_size > 1 << 20


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["build", "disk.yaml", "-o", ""], "'-o' / '--output'"),
        (["build", "", "-o", "x"], "'MANIFEST'"),
        (["ls", ""], "'IMAGE'"),
        (["build", "disk.yaml", "-o", "x", "--allow-outside", ""], "'--allow-outside'"),
    ],
)
def test_an_empty_path(run: Run, arguments: list[str], what: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert f"Error: Invalid value for {what}: the path is empty\n" in done.stderr


@pytest.mark.parametrize("command", ["build", "validate", "plan", "execute"])
def test_a_pipe_that_nobody_writes(folder: Path, command: str) -> None:
    os.mkfifo(folder / "fifo")
    output = ["-o", "disk.img"] if command in ("build", "execute") else []
    done = start(command, "fifo", *output, cwd=folder, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("fifo:1:1: ")


def test_a_device_is_no_manifest(run: Run) -> None:
    done = run("validate", "/dev/zero")
    assert (done.returncode, done.stderr) == (2, "ntfsbuild: /dev/zero: a device, not a manifest\n")


def test_a_manifest_and_a_plan_may_come_through_a_pipe(folder: Path, run: Run) -> None:
    text = "ntfsbuild: 1\ntree: {a.txt: a}\n"
    assert run("build", "/dev/stdin", "-o", "a.img", input=text).returncode == 0
    plan = run("plan", "/dev/stdin", "--json", input=text).stdout
    assert run("execute", "/dev/stdin", "-o", "b.img", input=plan).returncode == 0
    assert (folder / "a.img").read_bytes() == (folder / "b.img").read_bytes()


@pytest.mark.parametrize(("asked", "code"), [("", 0), ("bogus", 2), ("bash_bogus", 2), ("tcsh_source", 2)])
def test_what_no_completion_script_asks(run: Run, asked: str, code: int) -> None:
    done: Done = run("--version", env={"_NTFSBUILD_COMPLETE": asked})
    assert done.returncode == code
    assert done.stdout.startswith("ntfsbuild, version") is not bool(code)
    assert (f'_NTFSBUILD_COMPLETE: "{asked}" is not what' in done.stderr) is bool(code)
