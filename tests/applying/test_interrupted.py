"""Whatever ends an apply, at whatever call: the volume is exactly the old one or exactly the new one.

Every call by which something is written, made lasting, named or removed is interrupted in every way: by a
kill before it, by a kill in the middle of it, by ENOSPC and EIO that last or go by.  By day every third call
is, and each of the last ones, where it is decided.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.builder import applying
from ntfsbuild.errors import HostError
from ntfsbuild.image.journal import JournaledStorage
from tests.applying.bases import KINDS, Base, base, parameters
from tests.applying.bench import MODES, Bench
from tests.applying.contents import NEW, OLD, write_manifest
from tests.applying.damages import Patient, free_bytes
from tests.applying.reading import Contents
from tests.depth import by_day
from tests.image.faults import KINDS as EVERY_WAY
from tests.image.faults import Fault, How, Killed, inject
from tests.oracle import Entry

# Fully: every way at every call.  The others make the same calls elsewhere, and go wrong in two ways only.
FULLY = {
    "ours-4096": ["copy", "in place"],
    "ours-4096-mbr": ["output"],
    "mkntfs-512": ["in place"],
    "mkntfs-65536-mbr": ["in place"],
}
LAST = 12
TWO_WAYS: list[tuple[How, bool]] = [("half", True), ("eio", False)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", parameters())
def test_interrupted_at_any_call(tmp_path: Path, kind: str, mode: str) -> None:
    subject = Bench(tmp_path, kind, mode)
    found = _interrupt(subject, EVERY_WAY if mode in FULLY[kind] else TWO_WAYS)
    assert found["old"] > found["new"] > 0
    if mode == "in place":
        before_commit = len(_points(subject)) - LAST
        assert len(subject.variants) > before_commit // 4, "else all was written at the commit"


@pytest.mark.needs("mkntfs")
def test_what_is_found_is_sound(tmp_path: Path, judged: Callable[..., None]) -> None:
    """Both volumes, and the old one with what an interrupted change left in its free room."""
    cases: list[tuple[Path, Mapping[str, Entry]]] = []
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        subject = Bench(folder, kind, "in place")
        for at in (subject.calls.index("fsync"), len(subject.calls) - 3):
            subject.restore()  # What is filled is no hole any more.
            _after(subject, Fault(at, "half"))
        assert subject.variants
        for data, tree in [
            (subject.base.data, OLD),
            (subject.new, NEW),
            *((data, OLD) for data in subject.variants.values()),
        ]:
            path = tmp_path / f"{kind}-{len(cases)}.img"
            path.write_bytes(subject.base.volume(data))
            cases.append((path, tree))
    judged(cases)


def test_a_commit_in_many_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where more changes than memory holds: some of it is overwritten before the commit."""
    small = functools.partial(JournaledStorage, staged_bytes_max=6 * 4096)
    monkeypatch.setattr(applying, "JournaledStorage", small)
    subject = Bench(tmp_path, "ours-4096-mbr", "in place")
    assert subject.calls.count("fsync") > 6, "each batch has two"
    found = _interrupt(subject, TWO_WAYS)
    assert found["old"] > found["new"] > 0


def test_clusters_that_are_freed_and_taken_at_once(tmp_path: Path) -> None:
    """On a full volume what takes their place overwrites what the old volume still has."""
    filled = _filled(tmp_path)
    change = {"filler.bin": {"absent": True}, "instead.bin": {"size": 400_000, "fill": "random"}}
    subject = Bench(
        tmp_path, filled, "in place", lambda folder: write_manifest(folder / "change.yaml", tree=change)
    )
    assert _clusters(subject.old_contents, "/filler.bin") & _clusters(subject.new_contents, "/instead.bin")
    found = _interrupt(subject, TWO_WAYS)
    assert found["old"] > found["new"] > 0


def _filled(folder: Path) -> Base:
    """A volume with almost no room left."""
    image = folder / "filled.img"
    image.write_bytes(base("ours-4096").data)
    filler = {"filler.bin": {"size": free_bytes(Patient(image)) - 10 * 4096, "fill": "random"}}
    ntfsbuild.apply(write_manifest(folder / "filled.yaml", tree=filler), image)
    data = image.read_bytes()
    return Base("filled", data, 0, len(data))


def _clusters(contents: Contents, path: str) -> set[int]:
    _, info, _ = contents[path]
    return {lcn + number for lcn, count in info.streams[0].runs for number in range(count)}


def _interrupt(subject: Bench, ways: Sequence[tuple[How, bool]]) -> Counter[str]:
    """Let the change go wrong in these ways at each of its calls; how often which volume was found."""
    found: Counter[str] = Counter()
    for fault in (Fault(at, *way) for at in _points(subject) for way in ways):
        try:
            state = _after(subject, fault)
        except BaseException as error:
            error.add_note(f"{fault}: {subject.calls[fault.at]}")
            raise
        found[state] += 1
        if state == "new" or subject.mode == "in place":
            subject.restore()
    return found


def _points(subject: Bench) -> list[int]:
    """The calls that are interrupted."""
    end = len(subject.calls)
    return sorted({*range(0, end, by_day(3, 1)), *range(max(0, end - LAST), end)})


def _after(subject: Bench, fault: Fault) -> str:
    told: HostError | None = None
    if fault.kills:
        with pytest.raises(Killed), inject(fault):
            subject.apply()
    else:
        try:
            with inject(fault):
                assert subject.apply().changed
        except HostError as error:
            told = error
    _check_parts(subject, fault)
    state = subject.found()
    if not fault.kills:
        _check_told(subject, fault, told, state)
    return state


def _check_parts(subject: Bench, fault: Fault) -> None:
    """The copy has no name until it is whole; then a passing one, then that of the image."""
    parts = subject.take_parts()
    if parts:
        assert subject.calls[fault.at] == "replace"
        assert fault.kills or fault.lasting, "what fails once is cleaned up"
        assert parts == [subject.new]


def _check_told(subject: Bench, fault: Fault, told: HostError | None, state: str) -> None:
    if told is None:
        assert state == "new"
        return
    assert str(subject.folder) in str(told)
    assert {"enospc": "No space left on device", "eio": "Input/output error"}[fault.how] in str(told)
    if state == "new":
        # All is done, and only whether the name or the lack of one lasts is not known.
        assert fault.at == len(subject.calls) - 1
        assert subject.calls[-1] == "fsync_folder"
