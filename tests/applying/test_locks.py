"""Two processes on one image: many may read, one may change, and the second is refused, not kept waiting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import HostError
from tests.applying.bench import MODES, Bench
from tests.applying.contents import write_manifest
from tests.applying.processes import apply_arguments, holding
from tests.applying.processes import ntfsbuild as run
from tests.command import ROOT, environment

KIND = "ours-4096"


@pytest.fixture(name="subject", params=MODES)
def _subject(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, KIND, request.param)


def refused(subject: Bench, arguments: list[str | Path], doing: str) -> None:
    done = run(*arguments)
    message = f"ntfsbuild: {subject.image}: is being {doing} by another process\n"
    assert (done.returncode, done.stdout, done.stderr) == (4, "", message)
    assert subject.image.read_bytes() == subject.base.data
    assert subject.names() == subject.there


def test_nobody_comes_between_a_change(subject: Bench) -> None:
    with holding(subject.image, "r+"):
        refused(subject, apply_arguments(subject), "changed")
        refused(subject, ["ls", subject.image], "changed")
    assert run(*apply_arguments(subject)).returncode == 0
    assert subject.found() == "new"


def test_readers_exclude_changes_and_not_one_another(subject: Bench) -> None:
    with holding(subject.image, "r"), holding(subject.image, "r"):
        assert run("ls", subject.image).returncode == 0
        if subject.output is None:
            refused(subject, apply_arguments(subject), "read")
        else:  # The source is only read.
            assert run(*apply_arguments(subject)).returncode == 0
            assert subject.found() == "new"


def test_a_lock_goes_with_its_process(subject: Bench) -> None:
    with holding(subject.image, "r+") as process:
        process.kill()
        process.wait()
        assert run(*apply_arguments(subject)).returncode == 0
    assert subject.found() == "new"


_PAUSE = """
import sys, ntfsbuild
def tell(operation):
    print("at it", flush=True)
    sys.stdin.readline()
ntfsbuild.apply(sys.argv[1], sys.argv[2], in_place=sys.argv[3] == "in place", tell=tell)
"""


@pytest.mark.parametrize("mode", ["copy", "in place"])
def test_an_apply_holds_the_lock_all_the_time(tmp_path: Path, mode: str) -> None:
    subject = Bench(tmp_path, KIND, mode)
    command: list[str | Path] = [sys.executable, "-c", _PAUSE, subject.manifest.file, subject.image, mode]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "at it\n"
        refused(subject, apply_arguments(subject), "changed")
        refused(subject, ["ls", subject.image], "changed")
        process.communicate("\n" * 1000)
    assert process.returncode == 0
    assert subject.found() == "new"


def test_many_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    """Who is not refused finds what all before him did: no change is lost."""
    subject = Bench(tmp_path, KIND, "copy")
    running = []
    for number in range(6):
        manifest = write_manifest(tmp_path / f"{number}.yaml", tree={f"{number}.txt": "mine"})
        how = ["--in-place"] if number % 2 else []
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "ntfsbuild",
            "apply",
            manifest,
            subject.image,
            *how,
        ]
        running.append(
            subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=-1, stderr=-1, text=True)
        )
    made = set()
    for number, process in enumerate(running):
        _, errors = process.communicate()
        assert process.returncode in (0, 4), errors
        assert ("by another process" in errors) == (process.returncode == 4), errors
        if process.returncode == 0:
            made.add(f"/{number}.txt")
    with ntfsbuild.Volume.open(subject.image) as volume:
        found = {path for path, _ in volume.walk() if path[1].isdigit()}
    assert found == made != set()


def test_who_cannot_change_in_place_lets_go(tmp_path: Path) -> None:
    """A second name hides the journal; the image must not stay locked by who was told so."""
    subject = Bench(tmp_path, KIND, "in place")
    (tmp_path / "second.img").hardlink_to(subject.image)
    for _ in range(2):
        with pytest.raises(HostError, match="more than one name"):
            subject.apply()
    (tmp_path / "second.img").unlink()
    assert subject.apply().changed
