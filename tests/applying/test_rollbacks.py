"""An interrupted change in place is undone by who opens the image next, however often that is interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import HostError
from ntfsbuild.volume.opening import Volume
from tests.applying.bases import parameters
from tests.applying.bench import Bench
from tests.applying.contents import write_manifest
from tests.applying.processes import ntfsbuild as run
from tests.depth import by_day
from tests.image.faults import Fault, Killed, count_calls, every_fault, failing, inject


def overwriting(calls: list[str]) -> range:
    """The calls of a change between the sealed journal and its end."""
    synced = [at for at, name in enumerate(calls) if name == "fsync"]
    assert calls[synced[-1] :] == ["fsync", "unlink", "fsync_folder"]
    return range(synced[-2] + 1, synced[-1])


def interrupt(subject: Bench, at: int) -> None:
    subject.restore()
    with pytest.raises(Killed), failing(at, "half"):
        subject.apply()
    assert subject.journal.exists()


def undo(image: Path) -> None:
    with Volume.open(image, "r+") as volume:
        assert volume.read("/resident.txt") == b"small"


@pytest.mark.parametrize("kind", parameters())
def test_interrupted_at_any_call(tmp_path: Path, kind: str) -> None:
    subject = Bench(tmp_path, kind, "in place")
    middle = overwriting(subject.calls)
    points = [middle.start, middle[len(middle) // 2], middle.stop, middle.stop + 1]
    for at in by_day(points[1:3], points):
        interrupt(subject, at)
        torn, journal = subject.image.read_bytes(), subject.journal.read_bytes()
        calls = count_calls(lambda: undo(subject.image))
        assert calls > 5
        for fault in every_fault(calls):
            subject.image.write_bytes(torn)
            subject.journal.write_bytes(journal)
            _fail(subject.image, fault)
            assert subject.found() == "old", (at, fault)


def _fail(image: Path, fault: Fault) -> None:
    """A failing rollback is told, and nothing is read."""
    with pytest.raises((Killed, HostError)) as told, inject(fault):
        undo(image)
    assert fault.kills == (told.type is Killed), fault


# What comes next may be any of these; `{}` is the folder.
READING = [
    "ls {}/disk.img",
    "tree {}/disk.img",
    "cat {}/disk.img /log.txt",
    "stat {}/disk.img",
    "stat {}/disk.img /resident.txt",
    "verify {}/disk.img",
    "explain {}/disk.img /resident.txt",
    "extract {}/disk.img -o {}/more.img",
    "capture {}/disk.img -o {}/more.img",
    "diff {}/disk.img {}/disk.img",
    "plan {}/change.yaml --base {}/disk.img",
    "execute {}/plan.jsonl --image {}/disk.img -o {}/more.img",
    "build {}/based.yaml -o {}/more.img",
    "validate {}/based.yaml",
    "apply {}/nothing.yaml {}/disk.img -o {}/more.img",
    "apply {}/change.yaml {}/disk.img -o {}/more.img",
]
CHANGING = [
    "apply {}/nothing.yaml {}/disk.img",
    "apply {}/nothing.yaml {}/disk.img --in-place",
    "apply {}/missing-source.yaml {}/disk.img",
]


@pytest.fixture(name="interrupted")
def _interrupted(tmp_path: Path) -> Bench:
    """An image some of which is overwritten, and what the commands need."""
    write_manifest(tmp_path / "nothing.yaml", tree={"kept.txt": "nobody changes this"})
    write_manifest(tmp_path / "missing-source.yaml", tree={"a": {"source": "./b"}})
    write_manifest(tmp_path / "based.yaml", volume={"base": "./disk.img"}, tree={"more.txt": "more"})
    write_manifest(tmp_path / "other.yaml", tree={"other.txt": "other"})
    subject = Bench(tmp_path, "ours-4096-mbr", "in place")
    (tmp_path / "plan.jsonl").write_text(
        run("plan", "--json", subject.manifest.file, "--base", subject.image).stdout
    )
    subject.there = subject.names()
    middle = overwriting(subject.calls)
    interrupt(subject, middle[len(middle) // 2])
    return subject


@pytest.mark.parametrize("command", READING, ids=lambda command: command.replace("{}/", ""))
def test_who_reads_it_writes_nothing(interrupted: Bench, command: str) -> None:
    folder = interrupted.folder
    before = interrupted.image.read_bytes(), interrupted.journal.read_bytes()
    done = run(*(word.format(folder) for word in command.split()))
    assert done.returncode == 0, done
    assert (interrupted.image.read_bytes(), interrupted.journal.read_bytes()) == before
    more = folder / "more.img"
    if more.is_file():
        with Volume.open(more) as volume:
            assert volume.read("/kept.txt")
        assert run("verify", more).returncode == 0, "a copy is one of the old volume"
        more.unlink()
    elif more.exists():
        shutil.rmtree(more)
    assert interrupted.found() == "old"
    if command.startswith("cat"):
        assert done.stdout == "one line\n"


@pytest.mark.parametrize("command", CHANGING, ids=lambda command: command.replace("{}/", ""))
def test_who_changes_it_undoes_it_first(interrupted: Bench, command: str) -> None:
    done = run(*(word.format(interrupted.folder) for word in command.split()))
    assert done.returncode == (2 if "missing-source" in command else 0), done
    assert not interrupted.journal.exists()
    assert interrupted.found() == "old"


def test_an_open_for_changing_undoes_it(interrupted: Bench) -> None:
    with Volume.open(interrupted.image, "r+") as volume:
        assert not interrupted.journal.exists()
        assert volume.read("/resident.txt") == b"small"
    assert interrupted.found() == "old"


def test_a_build_in_its_place_undoes_it(interrupted: Bench) -> None:
    """Else the journal would be taken for one of the new image."""
    done = run("build", interrupted.folder / "other.yaml", "-o", interrupted.image)
    assert (done.returncode, done.stderr) == (0, "")
    assert not interrupted.journal.exists()
    with Volume.open(interrupted.image) as volume:
        assert volume.read("/other.txt") == b"other"


def test_a_change_of_another_image_put_there_undoes_it(interrupted: Bench) -> None:
    source = interrupted.folder / "source.img"
    source.write_bytes(interrupted.base.data)
    ntfsbuild.apply(interrupted.manifest, source, interrupted.image)
    assert source.read_bytes() == interrupted.base.data
    source.unlink()
    assert interrupted.found() == "new"
