"""libfsntfs through its Python binding."""

from collections.abc import Collection
from pathlib import Path

from tests.oracle.model import (
    CHUNK,
    Entry,
    Geometry,
    Reader,
    Reading,
    is_system,
    large_folders,
    sha256_of,
    stream,
)

try:
    import pyfsntfs
except ImportError:  # Reported by tools.missing.
    pyfsntfs = None

RECORD_MASK = (1 << 48) - 1


def read(image: Path) -> Reading:
    reading = Reading(entries={})
    volume = pyfsntfs.volume()
    try:
        volume.open(str(image))
        pending = [("", volume.get_root_directory())]
        while pending:
            prefix, folder = pending.pop()
            for index in range(folder.number_of_sub_file_entries):
                item = folder.get_sub_file_entry(index)
                path = prefix + _proper(item.name or "?")
                if _add(path, item, reading) == "dir":
                    pending.append((path + "/", item))
    except OSError as error:
        reading.complaints.append(str(error))
    return reading


def _proper(name: str) -> str:
    """The binding makes strings of lone surrogates that equal no others of the same characters."""
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _add(path: str, item: "pyfsntfs.file_entry", reading: Reading) -> str:
    assert reading.entries is not None
    kind = "dir" if item.has_directory_entries_index() else "file"
    is_file = kind == "file"
    digest = None
    try:
        if is_file and item.has_default_data_stream():
            digest = sha256_of(iter(lambda: item.read_buffer(CHUNK), b""))
    except OSError as error:
        reading.complaints.append(f"{path}: {error}")
    streams = [] if is_system(path) else [_stream(path, one, reading) for one in item.alternate_data_streams]
    reading.entries[path] = Entry(
        kind=kind,
        size=item.size if is_file else None,
        sha256=digest,
        created=item.get_creation_time_as_integer(),
        modified=item.get_modification_time_as_integer(),
        changed=item.get_entry_modification_time_as_integer(),
        accessed=item.get_access_time_as_integer(),
        attributes=item.file_attribute_flags,
        record=item.file_reference & RECORD_MASK,
        streams=tuple(sorted(streams)),
    )
    return kind


def _stream(path: str, one: "pyfsntfs.data_stream", reading: Reading) -> tuple[str, int, str]:
    name = _proper(one.name or "?")
    try:
        return stream(name, iter(lambda: one.read_buffer(CHUNK), b""))
    except OSError as error:
        reading.complaints.append(f"{path}:{name}: {error}")
        return name, one.size, ""


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    if geometry.cluster > geometry.index_block and large_folders(geometry, paths):
        return "multiplies an index child's number by the cluster size: loses entries of large directories"
    if any(path.rpartition("/")[2].startswith(("\ufeff", "\ufffe")) for path in paths):
        return "takes a name's first character for a byte order mark"
    return None


READERS = (Reader("libfsntfs", ("pyfsntfs",), read, refuses),)
