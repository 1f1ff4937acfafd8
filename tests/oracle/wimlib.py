"""wimlib: `capture` reads a whole volume through its own NTFS-3G code path; the WIM tells what it read."""

import calendar
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.oracle.model import TICKS_1970, Entry, Reader, Reading, file
from tests.oracle.tools import decode_name, last_lines, run

# Whatever else it says of a file that is not about where in the WIM something lies.
OTHER = (b"Short Name", b"Security Descriptor", b"Reparse", b"Object ID", b"Birth", b"Domain", b"UNIX")
EMPTY_SHA1 = file(b"").sha1
NO_STREAM = "0" * 40  # Stands for the empty stream, which a WIM does not store.
CONFIG = "[ExclusionList]\n"  # Otherwise System Volume Information, pagefile.sys and such are left out.
DIRECTORY, REPARSE_POINT = 0x10, 0x400


def read(image: Path) -> Reading:
    reading = Reading(entries={})
    with tempfile.TemporaryDirectory(prefix="wimlib-") as folder:
        wim, config = Path(folder, "out.wim"), Path(folder, "config.ini")
        config.write_text(CONFIG)
        done = run(["wimlib-imagex", "capture", image, wim, "--compress=none", f"--config={config}"])
        faults = [line for line in done.stdout.splitlines() if re.search(rb"\[?(ERROR|WARNING)", line)]
        if done.returncode or faults:
            reading.complaints.append(f"capture: {last_lines(done.stdout)}")
        if done.returncode:
            return reading
        listed = run(["wimlib-imagex", "dir", wim, "--detailed"])
    if listed.returncode:
        reading.complaints.append(f"dir: {last_lines(listed.stdout)}")
    _parse(listed.stdout, reading)
    return reading


PATH = re.compile(rb'Full Path +=(?: )"/(.*)"\nShort Name ', re.S)
NAMED_STREAM = re.compile(rb"^\tNamed data stream ", re.MULTILINE)
FIELD = re.compile(rb"^(\w[\w ]*?) += (.*)$", re.MULTILINE)


def _parse(listing: bytes, reading: Reading) -> None:
    assert reading.entries is not None
    for block in listing.split(b"-" * 76 + b"\n"):
        found = PATH.search(block)
        if not found or not found[1]:  # The root.
            continue
        parts = NAMED_STREAM.split(block[found.end() :])  # The unnamed one is told before them.
        fields = dict(FIELD.findall(parts[0]))
        other = [line for line in parts[0].splitlines() if line.startswith(OTHER)]
        reading.entries[decode_name(found[1])] = replace(
            _entry(fields),
            streams=tuple(sorted(_stream(part) for part in parts[1:])),
            other=b"\n".join(other).decode(),
        )


def _stream(part: bytes) -> tuple[str, int, str]:
    name, _, rest = part[1:].partition(b'":\n')
    fields = dict(FIELD.findall(rest))
    return decode_name(name), int(fields[b"Uncompressed size"].split()[0]), _sha1(fields)


def _sha1(fields: dict[bytes, bytes]) -> str:
    sha1 = fields.get(b"Hash", b"0x" + NO_STREAM.encode())[2:].decode()
    return EMPTY_SHA1 if sha1 == NO_STREAM else sha1


def _entry(fields: dict[bytes, bytes]) -> Entry:
    attributes = int(fields[b"Attributes"], 16)
    is_file = not attributes & DIRECTORY
    return Entry(
        kind="file" if is_file else "dir",
        size=int(fields[b"Uncompressed size"].split()[0]) if is_file else None,
        sha1=_sha1(fields) if is_file else None,
        created=_ticks(fields[b"Creation Time"]),
        modified=_ticks(fields[b"Last Write Time"]),
        accessed=_ticks(fields[b"Last Access Time"]),
        attributes=attributes,
        links=int(fields[b"Link Count"]) if is_file else None,
    )


def _ticks(shown: bytes) -> int:
    """Whole seconds, in UTC because TZ is; the judge compares no more than that."""
    return TICKS_1970 + 10_000_000 * calendar.timegm(time.strptime(shown.decode(), "%a %b %d %H:%M:%S %Y %Z"))


READERS = (Reader("wimlib", ("wimlib-imagex",), read, time_unit=10_000_000),)
