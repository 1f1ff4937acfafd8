"""Integers, also in hexadecimal, and the integer fields of $STANDARD_INFORMATION."""

from __future__ import annotations

import re
from collections.abc import Callable

from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk.traits import INFORMATION_BITS

_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,40}")


def parse_integer(bits: int) -> Callable[[int | str], int]:
    """A parser of unsigned integers of so many bits, also in hexadecimal."""

    def parse(value: int | str) -> int:
        if isinstance(value, str) and _HEXADECIMAL.fullmatch(value):
            number = int(value, 16)
        else:
            number = value if isinstance(value, int) else -1
        if not 0 <= number < 1 << bits:
            raise ValueError(f"{shown(value)} is not an integer from 0 to 0x{(1 << bits) - 1:X}")
        return number

    return parse


def read_integer(values: Values, node: Node, key: str) -> int | None:
    """One of `INFORMATION_BITS`."""
    return values.read(node, key, parse_integer(INFORMATION_BITS[key]))


def parse_device(numbers: list[int | str]) -> tuple[int, int]:
    """The two numbers of a device."""
    if len(numbers) != 2:
        raise ValueError(f"{len(numbers)} numbers are not a device ([major, minor])")
    major, minor = map(parse_integer(32), numbers)
    return major, minor
