"""dissect.ntfs: pure Python, some milliseconds a file, hence for small trees."""

import threading
from collections.abc import Collection
from pathlib import Path

from tests.oracle.model import CHUNK, Entry, Geometry, Reader, Reading, is_system, lone_surrogates, sha256_of

try:
    from dissect.ntfs import NTFS
    from dissect.ntfs.exceptions import Error as DissectError
except ImportError:  # Reported by tools.missing.
    NTFS, DissectError = None, OSError

ENTRIES_MAX = 3000


_ONE_AT_A_TIME = threading.Lock()  # Its parser of structures keeps what it is at in one place for all.


def read(image: Path) -> Reading:
    with _ONE_AT_A_TIME:
        return _read(image)


def _read(image: Path) -> Reading:
    reading = Reading(entries={})
    try:
        with image.open("rb") as f:
            volume = NTFS(f)
            pending = [("", volume.mft.root)]
            while pending:
                prefix, folder = pending.pop()
                for item in folder.iterdir(ignore_dos=True):
                    path = prefix + item.attribute.file_name
                    try:
                        record = item.dereference()
                        if not is_system(path) and _add(path, record, reading):
                            pending.append((path + "/", record))
                    except (DissectError, EOFError, OSError) as error:
                        reading.complaints.append(f"{path}: {error!r}")
    except (DissectError, EOFError, OSError, UnicodeDecodeError) as error:
        reading.complaints.append(repr(error))
    return reading


def _add(path, record, reading: Reading) -> bool:  # type: ignore[no-untyped-def]
    is_file = not record.is_dir()
    standard = record.attributes.STANDARD_INFORMATION[0]
    info = standard.attribute
    size = digest = None
    if is_file:
        size = record.size()
        with record.open() as stream:
            digest = sha256_of(iter(lambda: stream.read(CHUNK), b""))
    assert reading.entries is not None
    reading.entries[path] = Entry(
        kind="file" if is_file else "dir",
        size=size,
        sha256=digest,
        created=info.attr.CreationTime,
        modified=info.attr.LastModificationTime,
        changed=info.attr.LastChangeTime,
        accessed=info.attr.LastAccessTime,
        attributes=info.attr.FileAttributes,
        record=record.segment,
    )
    return not is_file


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    if len(paths) > ENTRIES_MAX:
        return f"takes milliseconds a file; not asked about more than {ENTRIES_MAX}"
    return lone_surrogates(paths)


READERS = (Reader("dissect.ntfs", ("dissect.ntfs",), read, refuses),)
