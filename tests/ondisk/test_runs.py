"""Run lists: the bytes that others write, and everything that comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.runs import Run, decode_runs, encode_runs

KNOWN: list[tuple[list[Run], str]] = [
    ([(0, 2)], "11020000"),
    ([(4, 7)], "11070400"),
    ([(8192, 512)], "220002002000"),
    ([(128, 1)], "2101800000"),
    ([(None, 255)], "02ff0000"),
    ([(None, 128), (100, 1)], "02800011016400"),
    ([(127, 127), (126, 128)], "117f7f128000ff00"),
    ([(786431, 1), (37, 1)], "3101ffff0b31012600f400"),
    ([(852, 1), (37, 1)], "21015403" + "2101d1fc00"),
    ([(None, 256), (33095, 1)], "020001" + "310147810000"),
    ([(1000, 16), (None, 16), (900, 16), (33668, 5)], "2110e803" + "0110" + "11109c" + "310500800000"),
    ([(8388607, 32768), (None, 127), (5, 1)], "33008000ffff7f" + "017f" + "31010600" + "8000"),
    ([(2**40, 1)], "61010000000000010" + "0"),
    ([(None, 3321087)], "03ffac3200"),
    ([], "00"),
]


@pytest.mark.parametrize(("runs", "data"), KNOWN)
def test_known_run_lists(runs: list[Run], data: str) -> None:
    assert encode_runs(runs).hex() == data
    assert list(decode_runs(bytes.fromhex(data))) == runs


@given(st.lists(st.tuples(st.none() | st.integers(0, 2**40), st.integers(1, 2**40)), max_size=20))
def test_what_is_written_is_read(runs: list[Run]) -> None:
    assert list(decode_runs(encode_runs(runs) + b"\xff\xff")) == runs


def test_a_hole_as_windows_nt_wrote_it() -> None:
    assert list(decode_runs(bytes.fromhex("1105ff" + "00"))) == [(None, 5)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "no end"),
        ("1102", "header byte 0x11 at byte 0x0"),
        ("110200", "no end"),
        ("1000", "header byte 0x10"),
        ("910000", "header byte 0x91"),
        ("118004" + "00", "a run of -128 clusters"),
        ("1100" + "0400", "a run of 0 clusters"),
        ("110104" + "1101f000", "cluster -12 at byte 0x3"),
    ],
)
def test_damaged_run_lists(data: str, message: str) -> None:
    with pytest.raises(CorruptVolume, match=message):
        decode_runs(bytes.fromhex(data))


@given(st.binary(max_size=64))
def test_any_bytes_are_runs_or_corrupt(data: bytes) -> None:
    try:
        runs = list(decode_runs(data))
    except CorruptVolume:
        return
    assert all(clusters > 0 and (lcn is None or lcn >= 0) for lcn, clusters in runs)
