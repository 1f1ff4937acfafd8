"""The manifest of a volume: a line for each file and directory, in the order of their paths."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain

from ntfsbuild.capturing.contents import Contents, Data, Store
from ntfsbuild.capturing.entries import (
    Entries,
    Note,
    has_key_of_directory,
    is_text,
    object_id_data,
    times_data,
)
from ntfsbuild.capturing.first_names import first_names
from ntfsbuild.capturing.manifest_text import entry_text, text_of
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import names, object_id
from ntfsbuild.ondisk.boot_sector import RECORD_SIZES, SECTOR_SIZES
from ntfsbuild.ondisk.filetime import TICKS_MAX
from ntfsbuild.ondisk.index import BLOCK_BYTES as INDEX_BLOCK_BYTES
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.volume_information import NO_SHORT_NAMES, what_is_wrong_with_label
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.info import DirectoryItem

_NOT_SAID = {
    "/$Extend/$UsnJrnl": "the journal of changes ($UsnJrnl) cannot be expressed",
    "/$Extend/$Deleted": "the content of $Extend but object ids and reparse points cannot be expressed",
}


def manifest_lines(volume: Volume, store: Store | None, note: Note, *, prefix: str = "/") -> Iterator[str]:
    """The lines of the manifest, each with its line feed; without a store contents are zeros.

    With a prefix only that path and everything below it are captured, under their own paths.
    """
    times: Ticks4 = volume.stat("/$MFT").times
    if max(times) > TICKS_MAX:
        note("/$MFT", "the times of NTFS's own files are none")
        times = (0, 0, 0, 0)
    short_names = not volume.flags & NO_SHORT_NAMES
    entries = Entries(Contents(volume, store), times, note, short_names=short_names)
    yield "ntfsbuild: 1\n"
    said = _volume(volume, note)
    own_id = volume.traits("/$Volume").object_id
    if own_id and not object_id.what_is_wrong(own_id):
        said["object_id"] = object_id_data(own_id)
    yield f"volume: {text_of(said)}\n"
    listed: set[int] = set()  # The records of everything that some directory lists.
    walked = [("/", 0), *_sayable(_noted(volume.walk(), listed), note)]
    paths = [path for path, _ in walked]
    wanted = [path for path in paths if _is_below(path, prefix)]
    said_as = first_names((path, record) for path, record in walked if record and _is_below(path, prefix))
    defaults: Data = {"times": times_data(times)}
    if short_names:
        defaults["short_names"] = True
    if _needs_posix(wanted):
        defaults["names"] = "posix"
    yield f"defaults: {text_of(defaults)}\n"
    yield "tree:\n"
    yield from _tree(volume, entries, set(paths), prefix, said_as)
    for path, message in _NOT_SAID.items():
        if volume.exists(path):
            note(path, message)
    if prefix == "/":
        for number in volume.locator().unlisted(listed | _in_extend(volume)):
            volume.damage.tell(f"record {number}", "it is in use, and no directory lists it")


def _volume(volume: Volume, note: Note) -> Data:
    """The manifest's `volume`; values that ntfsbuild cannot build are replaced by the nearest ones."""
    geometry, label = volume.geometry, volume.label
    sector = geometry.sector_bytes if geometry.sector_bytes in SECTOR_SIZES else SECTOR_SIZES[0]
    cluster = max(geometry.cluster_bytes, sector)
    said: Data = {
        "size": align(geometry.size_bytes, sector),
        "label": label,
        "serial": f"{geometry.serial:#018x}",
        "cluster": cluster,
        "sector": sector,
        "record": geometry.record_bytes,
        "hidden_sectors": volume.boot.hidden_sectors,
        "sectors_per_track": volume.boot.sectors_per_track,
        "heads": volume.boot.heads,
    }
    if geometry.record_bytes not in RECORD_SIZES or geometry.record_bytes < sector:
        del said["record"]
        note("/$MFT", f"records of {geometry.record_bytes} bytes cannot be expressed")
    if sector != geometry.sector_bytes:
        note("/$Boot", f"sectors of {geometry.sector_bytes} bytes cannot be expressed: they have {sector}")
    if cluster != geometry.cluster_bytes:
        note("/$Boot", f"clusters of {geometry.cluster_bytes} bytes cannot be expressed: they have {cluster}")
    index_block_bytes = volume.locator().index_block_bytes
    if index_block_bytes != INDEX_BLOCK_BYTES:
        there = f"index blocks of {index_block_bytes} bytes"
        note("/$Boot", f"{there} cannot be expressed: they have {INDEX_BLOCK_BYTES}")
    problem = what_is_wrong_with_label(label) if is_text(label) else "has half a surrogate pair"
    if problem:
        said["label"] = ""
        note("/$Volume", f"the label {label!r} {problem}")
    return said


def _noted(
    walked: Iterable[tuple[str, DirectoryItem]], listed: set[int]
) -> Iterator[tuple[str, DirectoryItem]]:
    for path, item in walked:
        listed.add(item.record)
        yield path, item


def _in_extend(volume: Volume) -> set[int]:
    """The records of the system files in $Extend, which are not among the reserved records."""
    return {item.record for _, item in volume.walk("/$Extend")} if volume.exists("/$Extend") else set()


def _sayable(walked: Iterable[tuple[str, DirectoryItem]], note: Note) -> Iterator[tuple[str, int]]:
    """Paths that a manifest can express, with their records; directories have 0 instead.

    Names with an unpaired surrogate are left out, with everything below them.
    """
    left_out: str | None = None
    for path, item in walked:
        if left_out is not None and path.startswith(left_out):
            continue
        if is_text(path):
            yield path, 0 if has_key_of_directory(item) else item.record
        else:
            note(path, "its name has half a surrogate pair: it cannot be expressed, nor what is in it")
            left_out = path + "/"


def _tree(
    volume: Volume, entries: Entries, sayable: Container[str], prefix: str, said_as: Mapping[int, str]
) -> Iterator[str]:
    """The entries; directories that lead to the prefix are included, since files inherit from them."""
    for file in chain([volume.open_file("/")], volume.files()):
        if file.path not in sayable:
            continue
        try:
            line = _line_of(file, entries, prefix, said_as)
        except CorruptVolume as error:
            volume.damage.tell(file.path, str(error))
        else:
            if line is not None:
                yield line


def _line_of(file: File, entries: Entries, prefix: str, said_as: Mapping[int, str]) -> str | None:
    """The line of a file or directory; None if it is not to be captured."""
    path = file.path
    if not _is_below(path, prefix):
        if file.is_directory and _is_below(prefix, path):
            return _line(path, entries.of(file, file.info()), directory=True)
        return None
    first = said_as.get(file.number, path) if file.is_linked else path
    if first != path:
        return _line(path, {"hardlink": first[1:]} | entries.name(file), directory=False)
    usual = entries.of_usual(file)
    if usual is not None:
        return _line(path, usual, directory=False)
    info = file.info()
    return _line(path, entries.of(file, info), directory=has_key_of_directory(info))


def _line(path: str, said: Data, *, directory: bool) -> str:
    if path == "/":
        return entry_text(".", said)
    if directory:
        return entry_text(path[1:] + "/", {".": said} if said else {})
    return entry_text(path[1:], said or None)


def _is_below(path: str, prefix: str) -> bool:
    return prefix == "/" or path == prefix or path.startswith(prefix.rstrip("/") + "/")


def _needs_posix(paths: Iterable[str]) -> bool:
    """Whether a name is not valid on Windows, or two names of a directory differ only in case."""
    parts = [path.rpartition("/") for path in paths]
    found = [name for _, _, name in parts if name]
    if not names.all_legal(found, posix=False) and any(
        names.what_is_wrong(name, posix=False) for name in found
    ):
        return True
    keys = names.folded(found)
    return len(set(zip((above for above, _, name in parts if name), keys, strict=True))) < len(keys)
