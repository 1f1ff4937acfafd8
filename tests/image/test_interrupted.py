"""Whatever ends a change in place, at whatever moment: the image is exactly the old or the new one."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.journal_file import journal_beside
from tests.image.conftest import (
    HOLE,
    IMAGE_BYTES,
    Restore,
    change_in_place,
    changed,
    content,
    put,
    read_back,
)
from tests.image.faults import Killed, count_calls, every_fault, failing, inject
from tests.image.power import Tape, after_power_cut, recording

OLD = content()
NEW = changed(OLD)
SEEDS = 6


def test_the_change_takes_several_batches(image: Path) -> None:
    """Else the tests below would prove little."""
    with recording(image.parent) as tape:
        change_in_place(image)
    assert read_back(image) == NEW != OLD
    assert len(tape.steps) > 30
    assert image.stat().st_size == IMAGE_BYTES


def test_whatever_goes_wrong_at_any_call(image: Path, restore: Restore) -> None:
    found = set()
    calls = count_calls(lambda: change_in_place(image))
    for fault in every_fault(calls):
        restore()
        with contextlib.suppress(Killed, HostError), inject(fault):
            change_in_place(image)
        after = read_back(image)
        assert after in (OLD, NEW), fault
        found.add(after)
        if not fault.kills and after == NEW:
            assert fault.at >= calls - 2, f"{fault}: the change failed, and there it is"
    assert found == {OLD, NEW}


def test_a_failure_is_told_and_undone_at_once(image: Path, restore: Restore) -> None:
    """Where the host recovers, nothing is left to do for who comes next."""
    calls = count_calls(lambda: change_in_place(image))
    for at in range(calls - 1):  # The last one only makes it last that the journal is gone.
        restore()
        with (
            pytest.raises(HostError, match="Input/output error"),
            failing(at, "eio", lasting=False),
        ):
            change_in_place(image)
        assert image.read_bytes() == OLD
        assert not Path(journal_beside(image)).exists(), at


def test_two_commits_are_two_changes(image: Path, restore: Restore) -> None:
    newest = changed(NEW)
    calls = count_calls(lambda: change_in_place(image, 2))
    states = []
    for at in range(calls):
        restore()
        with pytest.raises(Killed), failing(at, "half"):
            change_in_place(image, 2)
        states.append([OLD, NEW, newest].index(read_back(image)))
    assert states == sorted(states)
    assert set(states) == {0, 1}


def test_a_rollback_that_is_interrupted_at_any_call(image: Path, restore: Restore) -> None:
    calls = count_calls(lambda: change_in_place(image))
    torn = image.with_name("torn")
    for at in [calls // 3, calls // 2, calls - 2]:
        restore()
        with pytest.raises(Killed), failing(at, "half"):
            change_in_place(image)
        journal = Path(journal_beside(image))
        shutil.copy(image, torn)
        kept = journal.read_bytes()
        for fault in every_fault(count_calls(lambda: read_back(image))):
            shutil.copy(torn, image)
            journal.write_bytes(kept)
            with contextlib.suppress(Killed, HostError), inject(fault):
                read_back(image)
            assert read_back(image) == OLD, (at, fault)


def test_a_rollback_leaves_holes_that_were_never_filled(image: Path) -> None:
    """To fill them could take room that is not there."""
    room = image.stat().st_blocks

    def fill() -> None:
        with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
            storage.write(HOLE.start, b"x" * 8192)
            storage.write(HOLE.stop - 16_384, b"y" * 8192)
            storage.commit()

    calls = count_calls(fill)
    put(image, OLD)
    assert image.stat().st_blocks == room
    with pytest.raises(Killed), failing(calls - 5, "kill"):
        fill()
    assert Path(journal_beside(image)).stat().st_size > 16_384
    assert read_back(image) == OLD
    assert image.stat().st_blocks == room


def _lay_down(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "disk.img"


def _outcomes(tape: Tape, folder: Path) -> list[set[bytes]]:
    """What is found after a power cut behind each step."""
    found = []
    for steps in range(len(tape.steps) + 1):
        states = set()
        for seed in range(SEEDS):
            path = _lay_down(folder, after_power_cut(tape, steps, random.Random(f"{steps} {seed}")))
            states.add(read_back(path))
        found.append(states)
    return found


def test_a_power_cut_at_any_moment(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with recording(image.parent) as tape:
        change_in_place(image)
    outcomes = _outcomes(tape, tmp_path_factory.mktemp("after"))
    assert set().union(*outcomes) == {OLD, NEW}
    assert outcomes[0] == {OLD}
    assert outcomes[-1] == {NEW}, "a change that was committed lasts"


def test_a_power_cut_while_what_was_there_is_still_on_its_way(
    image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Somebody copied the image a moment ago, or was stopped while he wrote where it was free."""
    with recording(image.parent) as tape, ImageFile.open(image, writable=True) as file:
        file.write(4096, bytes(8192))
        here = len(tape.steps)
        file.close()
        change_in_place(image)
    folder = tmp_path_factory.mktemp("after")
    for steps in range(here, len(tape.steps) + 1):
        for seed in range(SEEDS):
            read_back(_lay_down(folder, after_power_cut(tape, steps, random.Random(f"{steps} {seed}"))))


def test_a_power_cut_during_a_rollback(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    calls = count_calls(lambda: change_in_place(image))
    put(image, OLD)
    with pytest.raises(Killed), failing(calls - 4, "half"):
        change_in_place(image)
    assert image.read_bytes() not in (OLD, NEW)
    with recording(image.parent) as tape:
        read_back(image)
    assert set().union(*_outcomes(tape, tmp_path_factory.mktemp("after"))) == {OLD}


def test_free_room_may_change_and_nothing_else(image: Path, restore: Restore) -> None:
    free, taken = range(12_288, 53_248), range(57_344, 61_440)
    new = bytearray(OLD)
    new[20_000:50_000] = b"N" * 30_000
    new[58_000:59_000] = b"M" * 1000

    def change_much() -> None:
        with JournaledStorage(ImageFile.open(image, writable=True)) as storage:
            storage.declare_free(free.start, len(free))
            storage.write(taken.start + 656, b"M" * 1000)
            storage.zero(free.start, 4096)
            storage.write(20_000, b"N" * 30_000)
            storage.commit()

    def outside(data: bytes) -> bytes:
        return data[: free.start] + data[free.stop :]

    calls = count_calls(change_much)
    for fault in every_fault(calls):
        restore()
        with contextlib.suppress(Killed, HostError), inject(fault):
            change_much()
        after = read_back(image)
        assert outside(after) in (outside(OLD), outside(bytes(new))), fault
        if outside(after) != outside(OLD):
            assert after[20_000:50_000] == new[20_000:50_000], "what is committed is there"


def test_real_kills(image: Path, restore: Restore) -> None:
    calls = count_calls(lambda: change_in_place(image))
    for at in sorted(random.Random(1).sample(range(calls), 5)):
        restore()
        done = subprocess.run(
            [sys.executable, "-m", "tests.image.faults", str(at), "tests.image.change_in_place", str(image)],
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == -signal.SIGKILL
        assert read_back(image) in (OLD, NEW)
