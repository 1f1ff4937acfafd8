"""Named streams as two foreign libraries read them: entries `path:stream`, which the oracle leaves out."""

from pathlib import Path

from tests.model.model import Model
from tests.oracle import Entry, Reader, Reading, Tree, libfsntfs, sleuthkit
from tests.oracle.model import CHUNK, file, is_system, sha256_of

try:
    import pyfsntfs
    import pytsk3
except ImportError:  # Reported by tools.missing.
    pyfsntfs = pytsk3 = None


def expected_streams(model: Model) -> Tree:
    return {
        f"{path[1:]}:{name}": file(data)
        for path, node in model.walk()
        for name, data in node.streams.items()
        if name
    }


def read_libfsntfs(image: Path) -> Reading:
    reading = Reading({})
    volume = pyfsntfs.volume()
    try:
        volume.open(str(image))
        pending = [("", volume.get_root_directory())]
        while pending:
            prefix, folder = pending.pop()
            for item in folder.sub_file_entries:
                path = prefix + _proper(item.name)
                if not is_system(path):
                    _add_streams(path, item, reading)
                if item.has_directory_entries_index():
                    pending.append((f"{path}/", item))
    except OSError as error:
        reading.complaints.append(str(error))
    return reading


def _add_streams(path: str, item: "pyfsntfs.file_entry", reading: Reading) -> None:
    assert reading.entries is not None
    for stream in item.alternate_data_streams:
        digest = sha256_of(iter(lambda stream=stream: stream.read_buffer(CHUNK), b""))
        entry = Entry(kind="file", size=stream.size, sha256=digest)
        reading.entries[f"{path}:{_proper(stream.name)}"] = entry


def _proper(name: str) -> str:
    """The binding makes strings that equal no others of the same characters."""
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def read_pytsk3(image: Path) -> Reading:
    found: Tree = {}
    volume = pytsk3.FS_Info(pytsk3.Img_Info(str(image)))
    for path, entry in (sleuthkit.read_pytsk3(image).entries or {}).items():
        if not is_system(path):
            item = volume.open_meta(inode=entry.record)
            found |= {f"{path}:{name}": stream for name, stream in _streams(item)}
    return Reading(found)


def _streams(item: "pytsk3.File") -> "list[tuple[str, Entry]]":
    found = []
    for one in item:
        info = one.info
        if info.type == pytsk3.TSK_FS_ATTR_TYPE_NTFS_DATA and info.name:
            pieces = (
                item.read_random(at, min(CHUNK, info.size - at), info.type, info.id)
                for at in range(0, info.size, CHUNK)
            )
            found.append((info.name.decode(), Entry(kind="file", size=info.size, sha256=sha256_of(pieces))))
    return found


READERS = (
    Reader("libfsntfs, streams", ("pyfsntfs",), read_libfsntfs, libfsntfs.refuses),
    Reader("pytsk3, streams", ("pytsk3",), read_pytsk3, sleuthkit.refuses),
)
