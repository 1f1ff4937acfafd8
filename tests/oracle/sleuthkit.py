"""The Sleuth Kit twice: its library through pytsk3, and Debian's fls, which may be another version.

Where a cluster holds several index blocks it takes all but the first for slack, and the names that
it finds there have no type.  They are believed on such volumes, unless the record has a name with a
type in the same directory: then they are real slack.
"""

import re
from collections.abc import Collection, Iterable
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
    levels,
    lone_surrogates,
    sha256_of,
    stream,
    utf8_length,
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


def _children(volume: "pytsk3.FS_Info", prefix: str, record: int) -> Iterable[tuple[str, "pytsk3.File"]]:
    names = [
        item
        for item in volume.open_dir(inode=record)
        if item.info.name.flags & pytsk3.TSK_FS_NAME_FLAG_ALLOC
        and item.info.name.name not in (b".", b"..", b"$OrphanFiles")
    ]
    typed = [item for item in names if item.info.name.type != pytsk3.TSK_FS_NAME_TYPE_UNDEF]
    seen = {item.info.name.meta_addr for item in typed}
    if volume.info.block_size > INDEX_BLOCK:
        typed += [item for item in names if item.info.name.meta_addr not in seen]
    return {prefix + decode_name(item.info.name.name): item for item in typed}.items()


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
            streams=() if is_system(path) else _streams(path, item, reading),
        )
    assert reading.entries is not None
    reading.entries[path] = entry
    return entry


def _streams(path: str, item: "pytsk3.File", reading: Reading) -> tuple[tuple[str, int, str], ...]:
    found = []
    for one in item:
        info = one.info
        if info.type != pytsk3.TSK_FS_ATTR_TYPE_NTFS_DATA or not info.name:
            continue
        places = range(0, info.size, CHUNK)
        try:
            content = [item.read_random(at, min(CHUNK, info.size - at), info.type, info.id) for at in places]
            found.append(stream(decode_name(info.name), content))
        except OSError as error:
            reading.complaints.append(f"{path}:{info.name!r}: {error}")
    return tuple(sorted(found))


def _sha256(path: str, item: "pytsk3.File", size: int, reading: Reading) -> str | None:
    try:
        return sha256_of(item.read_random(at, min(CHUNK, size - at)) for at in range(0, size, CHUNK))
    except OSError as error:
        reading.complaints.append(f"{path}: {error}")
        return None


def _ticks(seconds: int, nanoseconds: int) -> int | None:
    """The Sleuth Kit shows what it cannot hold, such as a time before 1970, as 0."""
    return TICKS_1970 + seconds * 10_000_000 + nanoseconds // 100 if seconds else None


INDEX_BLOCK = 4096
FLS_ENTRIES_MAX, FLS_LEVELS_MAX, FLS_PATH_MAX, FLS_NAME_MAX = 50_000, 128, 4000, 511
FLS_LINE = re.compile(
    rb"(?P<kind>./.) (?P<deleted>\* )?(?P<record>\d+)(?:-\d+-\d+)?:?(?:\(realloc\):)?\t(?P<rest>.*)", re.S
)


def read_fls(image: Path) -> Reading:
    """Names, kinds, records and sizes; contents are read through pytsk3."""
    done = run(["fls", "-r", "-p", "-l", "-u", image])
    reading = Reading(entries={})
    assert reading.entries is not None
    untyped: Tree = {}
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
        kind = {ord("r"): "file", ord("d"): "dir"}.get(found["kind"][2], "?")
        size = int(columns[5]) if kind == "file" else None
        entries = untyped if found["kind"].startswith(b"-") else reading.entries
        entries[path] = Entry(kind=kind, size=size, record=int(found["record"]))
    if Geometry.of(image).cluster > INDEX_BLOCK:
        seen = {entry.record for entry in reading.entries.values()}
        reading.entries |= {path: entry for path, entry in untyped.items() if entry.record not in seen}
    _drop_streams(reading.entries)
    return reading


def _drop_streams(entries: Tree) -> None:
    """fls lists "name:stream" beside "name", of a directory "name/.:stream", too.

    A colon of a POSIX name has no such neighbour.
    """
    for path in [path for path in entries if ":" in path]:
        owner = entries.get(path.rpartition(":")[0].removesuffix("/."))
        if owner is not None and owner.record == entries[path].record:
            del entries[path]


def control_as_caret(path: str) -> str:
    return re.sub(r"[\x00-\x1f]", "^", path)


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    if geometry.cluster > geometry.sector * 128:
        return "takes sectors per cluster above 128 for a plain number"
    return lone_surrogates(paths)


def fls_refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    """Limits of the program alone, which its library does not have."""
    if len(paths) > FLS_ENTRIES_MAX:
        return f"takes minutes for more than {FLS_ENTRIES_MAX} names"
    if levels(paths) > FLS_LEVELS_MAX:
        return f"goes no deeper than {FLS_LEVELS_MAX} directories"
    if max(map(utf8_length, paths), default=0) > FLS_PATH_MAX:
        return f"shows no path of more than {FLS_PATH_MAX} bytes"
    if max((utf8_length(path.rpartition("/")[2]) for path in paths), default=0) > FLS_NAME_MAX:
        return f"shows directories whose name has more than {FLS_NAME_MAX} bytes twice"
    return refuses(geometry, paths)


READERS = (
    Reader("pytsk3", ("pytsk3",), read_pytsk3, refuses),
    Reader("fls", ("fls",), read_fls, fls_refuses, control_as_caret),
)
