"""The bits of the records: where the next free one is."""

from __future__ import annotations

import random

import pytest

from ntfsbuild.volume.write.record_bitmap import RecordBitmap


def test_the_first_free_number_is_found() -> None:
    bitmap = RecordBitmap(bytes([0xFF, 0x0F]) + bytes(6))
    assert bitmap.first_free(0, 64) == 12
    assert bitmap.first_free(13, 64) == 13
    assert bitmap.first_free(0, 12) is None
    assert not bitmap.changed


def test_a_full_bitmap_grows_to_what_is_asked_for() -> None:
    bitmap = RecordBitmap(b"\xff" * 8)
    assert bitmap.first_free(0, 64) is None
    assert bitmap.first_free(0, 65) == 64
    assert len(bitmap.bits) == 16 and bitmap.changed


def test_marks_and_what_was_before() -> None:
    bitmap = RecordBitmap(b"\x03" + bytes(7))
    bitmap.mark(2, 21, True)
    assert (bitmap.is_used(20), bitmap.is_used(21), bitmap.was_used(1), bitmap.was_used(2)) == (
        True, False, True, False,
    )  # fmt: skip
    assert bitmap.next_number == 21
    bitmap.mark(0, 21, False)
    assert bitmap.next_number == 0 and bitmap.was_used(0)
    assert not bitmap.is_used(10_000)


@pytest.mark.parametrize("seed", range(20))
def test_as_a_list_of_booleans_does_it(seed: int) -> None:
    dice = random.Random(seed)
    used = [dice.random() < 0.8 for _ in range(256)]
    bitmap = RecordBitmap(sum(1 << k for k, one in enumerate(used) if one).to_bytes(32, "little"))
    for first in range(0, 256, 7):
        after = dice.randrange(first, 257)
        expected = next((k for k in range(first, after) if not used[k]), None)
        assert bitmap.first_free(first, after) == expected
        if expected is not None:
            end = next((k for k in range(expected, after) if used[k]), after)
            assert bitmap.end_of_free(expected, after) == end
