"""Sets of intervals against plain sets of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.image.blocks import Blocks, runs
from ntfsbuild.image.intervals import Intervals
from ntfsbuild.image.journal_format import BLOCK_BYTES, ENTRY_BYTES_MAX

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)))


@given(SPANS, st.integers(0, 60), st.integers(1, 60))
def test_intervals_hold_what_was_added(spans: list[tuple[int, int]], begin: int, count: int) -> None:
    intervals, numbers = Intervals(), set()
    for one, two in spans:
        intervals.add(one, two)
        numbers.update(range(one, two))

    found = list(intervals.within(0, 61))
    assert numbers == {number for one, two in found for number in range(one, two)}
    assert all(before[1] < after[0] for before, after in pairwise(found))
    end = begin + count
    assert list(intervals.within(begin, end)) == [span for span in found if span[0] < end and begin < span[1]]
    intervals.clear()
    assert list(intervals.within(0, 61)) == []


@given(st.sets(st.integers(0, 600)))
def test_runs_are_what_they_were_made_of(numbers: set[int]) -> None:
    found = list(runs(sorted(numbers)))
    assert [number for run in found for number in run] == sorted(numbers)
    assert all(0 < len(run) * BLOCK_BYTES <= ENTRY_BYTES_MAX for run in found)


@given(st.integers(0, 10_000), st.integers(1, 20_000), st.data())
def test_blocks_lie_where_those_of_the_image_do(offset: int, size_bytes: int, data: st.DataObject) -> None:
    blocks = Blocks.of_window(offset, size_bytes)
    begin = data.draw(st.integers(0, size_bytes - 1))
    end = data.draw(st.integers(begin + 1, size_bytes))
    touched, whole = blocks.touched(begin, end), blocks.whole(begin, end)
    first, last = blocks.span(touched)

    assert first <= begin < end <= last
    for number in touched:
        one, two = blocks.bounds(number)
        assert one < two
        assert (offset + one) // BLOCK_BYTES == (offset + two - 1) // BLOCK_BYTES
        assert (number in whole) == (begin <= one and two <= end)
    assert set(whole) <= set(touched)
