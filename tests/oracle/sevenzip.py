"""7-Zip: `t` tests every stream, `l` lists, and `x -so` gives all contents in the order of the list."""

import calendar
import re
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from tests.oracle.model import CHUNK, TICKS_1970, Entry, Geometry, Reader, Reading, levels, sha256_of
from tests.oracle.tools import decode_name, environment, last_lines, run

LEVELS_MAX = 256
OPTIONS = ("-sns-", "-x![SYSTEM]")  # No named streams, no metafiles.
ATTRIBUTES = {ord(letter): 1 << bit for bit, letter in enumerate("RHS8DAdNTsLCOIEV")}


def read(image: Path) -> Reading:
    reading = Reading(entries={})
    tested = run(["7z", "t", image])
    if tested.returncode or b"Everything is Ok" not in tested.stdout:
        reading.complaints.append(f"t: {last_lines(tested.stdout)}")
        return reading
    if b"Warning" in tested.stdout or b"WARNING" in tested.stdout:
        reading.complaints.append(f"t: {last_lines(tested.stdout)}")
    listed = run(["7z", "l", "-slt", *OPTIONS, image])
    if listed.returncode:
        reading.complaints.append(f"l: {last_lines(listed.stdout)}")
        return reading
    items = listed.stdout.partition(b"\n----------\n")[2].split(b"\n\n")
    _read_contents(image, [dict(FIELD.findall(item)) for item in items if b"\nFolder = " in item], reading)
    return reading


FIELD = re.compile(rb"^(\w[\w ]*) = (.*)$", re.MULTILINE)


def _read_contents(image: Path, items: list[dict[bytes, bytes]], reading: Reading) -> None:
    assert reading.entries is not None
    with subprocess.Popen(
        ["7z", "x", "-so", *OPTIONS, image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        for item in items:
            entry = _entry(item, process.stdout)
            if item[b"Deleted"] == b"-":
                reading.entries[decode_name(item[b"Path"])] = entry
        rest = len(process.stdout.read())
    if rest or process.returncode:
        reading.complaints.append(f"x: {rest} bytes too many, exit {process.returncode}")


def _entry(item: dict[bytes, bytes], contents: IO[bytes]) -> Entry:
    is_file = item[b"Folder"] == b"-"
    size = int(item[b"Size"]) if is_file else None
    attributes = sum(ATTRIBUTES[letter] for letter in item[b"Attributes"].partition(b" ")[0])
    return Entry(
        kind="file" if is_file else "dir",
        size=size,
        sha256=sha256_of(_pieces(contents, size)) if size is not None else None,
        created=_ticks(item[b"Created"]),
        modified=_ticks(item[b"Modified"]),
        changed=_ticks(item[b"Metadata Changed"]),
        accessed=_ticks(item[b"Accessed"]),
        attributes=attributes,
        record=int(item[b"iNode"]),
    )


def _pieces(contents: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (piece := contents.read(min(CHUNK, size))):
        size -= len(piece)
        yield piece


def _ticks(shown: bytes) -> int | None:
    """ "2024-01-31 12:00:00.1234567"; the list is in UTC because TZ is."""
    if not shown:
        return None
    seconds, _, fraction = shown.decode().partition(".")
    unix = calendar.timegm(time.strptime(seconds, "%Y-%m-%d %H:%M:%S"))
    return TICKS_1970 + unix * 10_000_000 + int(fraction or 0)


def shown(path: str) -> str:
    return path.replace("\\", "_").replace("\n", "_")


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    if geometry.sector != 512:
        return "opens no volume whose sectors are not 512 bytes"
    if levels(paths) > LEVELS_MAX:
        return f"goes no deeper than {LEVELS_MAX} directories"
    return None


READERS = (Reader("7-Zip", ("7z",), read, refuses, shown),)
