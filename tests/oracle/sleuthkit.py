"""The Sleuth Kit twice: its newest library through pytsk3, and Debian's fls, some years older."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.oracle.model import (
    CHUNK,
    TICKS_1970,
    Entry,
    Geometry,
    Reader,
    Reading,
    Tree,
    is_system,
    no_lone_surrogates,
    sha256_of,
)
from tests.oracle.tools import decode_name, last_lines, run

try:
    import pytsk3
except ImportError:  # Reported by tools.missing.
    pytsk3 = None


def read_pytsk3(image: Path) -> Reading:
    reading = Reading(entries={})
    try:
        volume = pytsk3.FS_Info(pytsk3.Img_Info(str(image)))
        pending = [("", volume.info.root_inum)]
        while pending:
            prefix, record = pending.pop()
            for path, item in _children(volume, prefix, record):
                entry = _entry(path, item, reading)
                if entry.kind == "dir":
                    pending.append((path + "/", item.info.meta.addr))
    except OSError as error:
        reading.complaints.append(str(error))
    return reading


def _children(volume: "pytsk3.FS_Info", prefix: str, record: int) -> Iterator[tuple[str, "pytsk3.File"]]:
    seen = set()
    for item in volume.open_dir(inode=record):
        raw = item.info.name.name
        if raw in (b".", b"..") or not item.info.name.flags & pytsk3.TSK_FS_NAME_FLAG_ALLOC:
            continue
        path = prefix + decode_name(raw)
        if path in seen or path == "$OrphanFiles":
            continue
        seen.add(path)
        yield path, item


def _entry(path: str, item: "pytsk3.File", reading: Reading) -> Entry:
    meta = item.info.meta
    if meta is None:
        reading.complaints.append(f"{path}: the name has no metadata")
        entry = Entry(kind="?")
    else:
        is_file = meta.type == pytsk3.TSK_FS_META_TYPE_REG
        entry = Entry(
            kind="file" if is_file else "dir" if meta.type == pytsk3.TSK_FS_META_TYPE_DIR else "?",
            size=meta.size if is_file else None,
            sha256=_sha256(path, item, meta.size, reading) if is_file else None,
            created=_ticks(meta.crtime, meta.crtime_nano),
            modified=_ticks(meta.mtime, meta.mtime_nano),
            changed=_ticks(meta.ctime, meta.ctime_nano),
            accessed=_ticks(meta.atime, meta.atime_nano),
            links=meta.nlink if is_file else None,
            record=meta.addr,
        )
    assert reading.entries is not None
    reading.entries[path] = entry
    return entry


def _sha256(path: str, item: "pytsk3.File", size: int, reading: Reading) -> str | None:
    try:
        return sha256_of(item.read_random(at, min(CHUNK, size - at)) for at in range(0, size, CHUNK))
    except OSError as error:
        reading.complaints.append(f"{path}: {error}")
        return None


def _ticks(seconds: int, nanoseconds: int) -> int | None:
    """The Sleuth Kit shows what it cannot hold, such as a time before 1970, as 0."""
    return TICKS_1970 + seconds * 10_000_000 + nanoseconds // 100 if seconds else None


NAME_BYTES_MAX = 511
FLS_LINE = re.compile(
    rb"(?P<kind>./.) (?P<deleted>\* )?(?P<record>\d+)(?:-\d+-\d+)?:?(?:\(realloc\):)?\t(?P<rest>.*)", re.S
)


def read_fls(image: Path) -> Reading:
    """Names, kinds, records and sizes; contents are read through pytsk3."""
    done = run(["fls", "-r", "-p", "-l", "-u", image])
    reading = Reading(entries={})
    assert reading.entries is not None
    if done.returncode:
        reading.complaints.append(last_lines(done.stdout))
    for line in done.stdout.split(b"\n"):
        found = FLS_LINE.fullmatch(line)
        if not found:
            if line:
                reading.complaints.append(f"unexpected line {line!r}")
            continue
        columns = found["rest"].rsplit(b"\t", 7)
        path = decode_name(columns[0])
        if found["deleted"] or path.startswith("$OrphanFiles") or is_system(path.partition(":")[0]):
            continue
        kind = {b"r/r": "file", b"d/d": "dir"}.get(found["kind"], found["kind"].decode())
        size = int(columns[5]) if kind == "file" else None
        reading.entries[path] = Entry(kind=kind, size=size, record=int(found["record"]))
    _drop_streams(reading.entries)
    return reading


def _drop_streams(entries: Tree) -> None:
    """fls lists "name:stream" beside "name"; a colon of a POSIX name has no such neighbour."""
    for path in [path for path in entries if ":" in path]:
        owner = entries.get(path.rpartition(":")[0])
        if owner is not None and owner.record == entries[path].record:
            del entries[path]


def control_as_caret(path: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "^", path)


def manages(paths: Collection[str]) -> str | None:
    names = [path.rpartition("/")[2] for path in paths]
    if any(len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX for name in names):
        return f"shows names of more than {NAME_BYTES_MAX} bytes of UTF-8 twice, once cut short"
    return no_lone_surrogates(paths)


def supports(geometry: Geometry) -> str | None:
    if geometry.cluster > 1 << 16:
        return "takes sectors per cluster above 128 for a plain number (clusters > 64 KiB)"
    return None


READERS = (
    Reader("pytsk3", ("pytsk3",), read_pytsk3, manages=manages),
    Reader("fls", ("fls",), read_fls, supports, manages, shown=control_as_caret),
)
