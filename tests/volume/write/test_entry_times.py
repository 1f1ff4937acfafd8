"""Times of entries, by file, directory and name."""

from __future__ import annotations

from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.volume.write.entry_times import EntryTimes

ONE: SomeTicks = (1, 2, None, None)
OTHER: SomeTicks = (None, None, 3, 4)


def test_each_name_has_its_own() -> None:
    times = EntryTimes()
    times.set(30, 5, b"a\0", ONE)
    times.set(30, 6, b"a\0", OTHER)
    assert times.of(30, 5, b"a\0") == ONE
    assert times.of(30, 6, b"a\0") == OTHER
    assert times.of(30, 5, b"b\0") is None
    assert times.of(31, 5, b"a\0") is None


def test_who_gets_the_record_next_gets_no_times_with_it() -> None:
    times = EntryTimes()
    for number in (30, 31, 32):
        times.set(number, 5, b"a\0", ONE)
    times.forget(30)
    times.forget(99)
    assert (times.of(30, 5, b"a\0"), times.of(31, 5, b"a\0")) == (None, ONE)
    times.clear()
    assert times.of(31, 5, b"a\0") is None
