"""$UpCase: Microsoft's table of upper-case code units, and names compared through it.  specs/ondisk/upcase.md

The table cannot come from a Unicode library: in more than two hundred code units it differs from every
version of the standard.  It is generated from a description of its runs; a test pins its SHA-256.
"""

from __future__ import annotations

import array
import functools
import struct
import sys

# FIRST[-LAST][/STEP]:DELTA, hexadecimal code units and a decimal difference; all others map to themselves.
_RUNS = """
0061-007A:-32 00E0-00F6:-32 00F8-00FE:-32 00FF:+121 0101-012F/2:-1 0133-0137/2:-1 013A-0148/2:-1
014B-0177/2:-1 017A-017E/2:-1 0180:+195 0183-0185/2:-1 0188:-1 018C:-1 0192:-1 0195:+97 0199:-1
019A:+163 019E:+130 01A1-01A5/2:-1 01A8:-1 01AD:-1 01B0:-1 01B4-01B6/2:-1 01B9:-1 01BD:-1 01BF:+56
01C6:-2 01C9:-2 01CC:-2 01CE-01DC/2:-1 01DD:-79 01DF-01EF/2:-1 01F3:-2 01F5:-1 01F9-021F/2:-1
0223-0233/2:-1 023C:-1 0242:-1 0247-024F/2:-1 0250:+10783 0251:+10780 0253:-210 0254:-206
0256-0257:-205 0259:-202 025B:-203 0260:-205 0263:-207 0268:-209 0269:-211 026B:+10743 026F:-211
0271:+10749 0272:-213 0275:-214 027D:+10727 0280:-218 0283:-218 0288:-218 0289:-69 028A-028B:-217
028C:-71 0292:-219 0371-0373/2:-1 0377:-1 037B-037D:+130 03AC:-38 03AD-03AF:-37 03B1-03C1:-32
03C3-03CB:-32 03CC:-64 03CD-03CE:-63 03D7:-8 03D9-03EF/2:-1 03F2:+7 03F8:-1 03FB:-1 0430-044F:-32
0450-045F:-80 0461-0481/2:-1 048B-04BF/2:-1 04C2-04CE/2:-1 04CF:-15 04D1-0523/2:-1 0561-0586:-48
1D79:+35332 1D7D:+3814 1E01-1E95/2:-1 1EA1-1EFF/2:-1 1F00-1F07:+8 1F10-1F15:+8 1F20-1F27:+8
1F30-1F37:+8 1F40-1F45:+8 1F51-1F57/2:+8 1F60-1F67:+8 1F70-1F71:+74 1F72-1F75:+86 1F76-1F77:+100
1F78-1F79:+128 1F7A-1F7B:+112 1F7C-1F7D:+126 1F80-1F87:+8 1F90-1F97:+8 1FA0-1FA7:+8 1FB0-1FB1:+8
1FB3:+9 1FC3:+9 1FD0-1FD1:+8 1FE0-1FE1:+8 1FE5:+7 1FF3:+9 214E:-28 2170-217F:-16 2184:-1
24D0-24E9:-26 2C30-2C5E:-48 2C61:-1 2C65:-10795 2C66:-10792 2C68-2C6C/2:-1 2C73:-1 2C76:-1
2C81-2CE3/2:-1 2D00-2D25:-7264 A641-A65F/2:-1 A663-A66D/2:-1 A681-A697/2:-1 A723-A72F/2:-1
A733-A76F/2:-1 A77A-A77C/2:-1 A77F-A787/2:-1 A78C:-1 FF41-FF5A:-32
"""

TABLE_BYTES = 0x20000

# CRC-64 of the table (reflected polynomial 0x9A6C9329AC4BC9B5, all ones in and out); a test recomputes it.
TABLE_CRC64 = 0xDADC7E776B1B690C

# The version in $UpCase:$Info: Windows 10.0, build 19041.
_INFO = struct.Struct("<IIQIIII")


@functools.cache
def _changes() -> dict[int, int]:
    """Code unit to upper-case code unit, where they differ."""
    changes = {}
    for run in _RUNS.split():
        span, _, delta = run.partition(":")
        span, _, step = span.partition("/")
        first, _, last = span.partition("-")
        for unit in range(int(first, 16), int(last or first, 16) + 1, int(step or 1)):
            changes[unit] = (unit + int(delta)) & 0xFFFF
    return changes


def standard() -> dict[int, int]:
    """The table of Windows in the form that `upper` takes."""
    return _changes()


@functools.cache
def table() -> bytes:
    """The 128 KiB table as $UpCase holds it."""
    units = array.array("H", range(0x10000))
    for unit, upper in _changes().items():
        units[unit] = upper
    if sys.byteorder == "big":
        units.byteswap()
    return units.tobytes()


def info() -> bytes:
    """The value of the stream $UpCase:$Info, 32 bytes."""
    return _INFO.pack(_INFO.size, 0, TABLE_CRC64, 10, 0, 19041, 0)


@functools.lru_cache(maxsize=4)
def parse_table(data: bytes) -> dict[int, int]:
    """A volume's own table, in the form that `upper` takes: only the units that change."""
    if data == table():
        return _changes()
    units = array.array("H", data)
    if sys.byteorder == "big":
        units.byteswap()
    return {unit: upper for unit, upper in enumerate(units) if unit != upper}


def upper(name: str, changes: dict[int, int] | None = None) -> str:
    """`name` in upper case by the table; characters outside the BMP (surrogates) stay as they are."""
    if (changes is None or changes is _changes()) and name.isascii():
        return name.upper()
    return name.translate(_changes() if changes is None else changes)


def code_units(text: str) -> bytes:
    """A key that orders texts by UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


def code_unit_order(texts: list[str]) -> list[str] | list[bytes]:
    """Keys, one for each text, that order the texts by UTF-16 code units."""
    # Code points and code units sort alike as long as nothing lies above the BMP.
    if all(map(str.isascii, texts)) or max(map(max, filter(None, texts)), default="") <= "\uffff":
        return texts
    return [code_units(text) for text in texts]
