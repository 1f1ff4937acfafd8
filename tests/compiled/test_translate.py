"""Functions as machine code answer as they do in Python; what cannot be translated is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.compiled import Shorts, kernel
from ntfsbuild.compiled.translate import translate

needs_fast = pytest.mark.skipif(
    not kernel.available() and not os.environ.get("CI"), reason="the extra `fast` is not installed"
)

SQUARES = [number * number for number in range(100)]
LIMIT = 50
NUMBERS = st.integers(-(1 << 31), 1 << 31)


def arithmetic(one: int, two: int) -> int:
    """All operators at once."""
    return (one + two) * 3 - (one & two | one ^ two) + (two >> 2) + (one << 3) - -two


def decisions(one: int, two: int) -> int:
    found = 0
    if one < two and (one > 5 or not two > 7):
        found += 1
    if one == two or (one != 3 and two >= one):
        found += 2
    elif one <= -4:
        found += 4
    else:
        found += 8
    while True:
        found += 16
        if found > 100:
            break
        if found & 1:
            found += 1
            continue
        found += 5
    return found


def looked_up(data: bytes, size: int) -> int:
    at = 0
    total = 0
    while at < size:
        total += SQUARES[smaller(data[at], LIMIT)]
        at += 1
    return total


def smaller(one: int, two: int) -> int:
    if one < two:
        return one
    return two


def larger(one: int, two: int) -> int:
    return two if one < two else one


def largest(one: int, two: int) -> int:
    if one < two:
        return two
    return one


@cache
def compiled(function: Callable[..., int]) -> Callable[..., int]:
    made = kernel.compile_function(function)
    assert made is not None, "the extra `fast` is missing"
    return made


@needs_fast
@given(NUMBERS, NUMBERS)
def test_numbers_are_as_in_python(one: int, two: int) -> None:
    for function in (arithmetic, decisions):
        assert compiled(function)(one, two) == function(one, two)


@needs_fast
@given(st.binary(max_size=300))
def test_arrays_and_tables_are_as_in_python(data: bytes) -> None:
    assert compiled(looked_up)(data, len(data)) == looked_up(data, len(data))


@needs_fast
def test_what_is_called_can_be_replaced() -> None:
    data = bytes([10, 60])
    assert compiled(looked_up)(data, 2) == 100 + 2500
    made = kernel.compile_function(looked_up, {"smaller": largest})
    assert made is not None
    assert made(data, 2) == 2500 + 3600


def test_without_the_extra_there_is_no_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "available", lambda: False)
    assert kernel.compile_function(arithmetic) is None


def divided(one: int, two: int) -> int:
    return one // two


def sliced(data: bytes) -> int:
    return len(data[1:])


def over(data: bytes) -> int:
    for value in data:
        return value
    return 0


def changes_bytes(data: bytes) -> int:
    data[0] = 1  # type: ignore[index]
    return 0


def other_array(data: bytes) -> int:
    return takes_shorts(data)  # type: ignore[arg-type]


def takes_shorts(shorts: Shorts) -> int:
    return shorts[0]


def too_few(one: int) -> int:
    return smaller(one)  # type: ignore[call-arg]


def named(text: str) -> int:
    return 0


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (larger, "no such expression"),
        (divided, "no such operator"),
        (sliced, "len is not a function of a module"),
        (over, "no such statement"),
        (changes_bytes, "cannot be assigned"),
        (other_array, "is not Shorts"),
        (too_few, "takes 2 arguments"),
        (named, "str is no array"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_understood_is_refused(function: Callable[..., int], why: str) -> None:
    with pytest.raises(TypeError, match=why):
        translate(function)
