"""What a foreign reader says of an image: entries by path, and complaints.

Paths have no leading slash and use "/" between names.  Names are Python strings; a UTF-16 surrogate
that stands alone on the volume stands alone here.  A field that is None was not looked at.
"""

import hashlib
import re
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
TICKS_1970 = 116_444_736_000_000_000  # FILETIME of 1970-01-01: 100 ns since 1601-01-01 UTC.

SYSTEM_NAMES = frozenset(
    {"$MFT", "$MFTMirr", "$LogFile", "$Volume", "$AttrDef", ".", "$Bitmap", "$Boot"}
    | {"$BadClus", "$Secure", "$UpCase", "$Extend"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name of a file or directory; times are FILETIMEs, attributes as in $STANDARD_INFORMATION."""

    kind: str  # "file", "dir", "symlink", …
    size: int | None = None
    sha256: str | None = None
    sha1: str | None = None
    created: int | None = None
    modified: int | None = None
    changed: int | None = None
    accessed: int | None = None
    attributes: int | None = None
    links: int | None = None
    record: int | None = None
    target: str | None = None
    streams: tuple[tuple[str, int, str], ...] | None = None  # Named ones: name, size, SHA-1; sorted.
    other: str | None = None  # What else this reader says: to be compared with what it says later.


COMPARED = tuple(f.name for f in fields(Entry))
# Some readers add these for directories; they are not part of $STANDARD_INFORMATION.
DIRECTORY_ATTRIBUTES = 0x3000_0010
Tree = dict[str, Entry]


def directory(**more: Any) -> Entry:
    return Entry(kind="dir", **more)


def file(content: bytes | Iterable[bytes], **more: Any) -> Entry:
    """What every reader has to say of a file with this content; a large one comes in pieces."""
    size, sha256, sha1 = digest([content] if isinstance(content, bytes) else content)
    return Entry(kind="file", size=size, sha256=sha256, sha1=sha1, **more)


def stream(name: str, pieces: Iterable[bytes]) -> tuple[str, int, str]:
    """A named stream, as `Entry` has it."""
    size, _, sha1 = digest(pieces)
    return name, size, sha1


def digest(pieces: Iterable[bytes]) -> tuple[int, str, str]:
    """Size, SHA-256 and SHA-1."""
    size, sha256, sha1 = 0, hashlib.sha256(), hashlib.sha1()
    for piece in pieces:
        size += len(piece)
        sha256.update(piece)
        sha1.update(piece)
    return size, sha256.hexdigest(), sha1.hexdigest()


def sha256_of(pieces: Iterable[bytes]) -> str:
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


@dataclass(slots=True)
class Reading:
    """Everything one reader found; a checker finds no entries, only faults."""

    entries: Tree | None = None
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The sizes that decide whether a reader can read a volume at all, in bytes."""

    sector: int
    cluster: int
    record: int
    index_block: int
    volume: int

    @classmethod
    def of(cls, image: Path) -> "Geometry":
        with image.open("rb") as f:
            boot = f.read(512)
        if boot[3:11] != b"NTFS    ":
            raise ValueError(f"{image} has no NTFS boot sector")
        sector, per_cluster = struct.unpack_from("<HB", boot, 0x0B)
        (sectors,) = struct.unpack_from("<Q", boot, 0x28)
        cluster = sector * (per_cluster if per_cluster <= 0x80 else 1 << (256 - per_cluster))
        record, index_block = (_unit(boot[at], cluster) for at in (0x40, 0x44))
        return cls(sector, cluster, record, index_block, (sectors + 1) * sector)

    def __str__(self) -> str:
        return f"sector {self.sector}, cluster {self.cluster}, record {self.record}"


def _unit(byte: int, cluster: int) -> int:
    """A size given in clusters or, as a negative number, as a power of two."""
    return byte * cluster if byte < 0x80 else 1 << (256 - byte)


def manages_all(geometry: Geometry, paths: Collection[str]) -> None:
    """Nothing is known that this reader does not manage."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A program or library that we did not write, and what it is known not to manage."""

    name: str
    tools: tuple[str, ...]  # Names that tools.tool knows.
    read: Callable[[Path], Reading]
    refuses: Callable[[Geometry, Collection[str]], str | None] = manages_all  # Why it is not asked.
    shown: Callable[[str], str] = lambda path: path  # How it shows a path that it cannot show as it is.
    time_unit: int = 1  # Ticks of the finest time that it shows.
    read_many: Callable[[Sequence[Path]], list[Reading]] | None = None  # Where that is much cheaper.


def is_system(path: str) -> bool:
    """A metafile or what lies below $Extend, as opposed to a user's file with a dollar name."""
    return path.partition("/")[0] in SYSTEM_NAMES


def only_user(entries: Tree) -> Tree:
    return {path: entry for path, entry in entries.items() if not is_system(path)}


LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def lone_surrogates(paths: Collection[str]) -> str | None:
    """For readers that drop, mangle or stumble over names that are not valid UTF-16."""
    if any(LONE_SURROGATE.search(path) for path in paths):
        return "does not manage names that are not valid UTF-16"
    return None


def large_folders(geometry: Geometry, paths: Collection[str]) -> bool:
    """Whether some directory needs more than one index block."""
    room: Counter[str] = Counter()
    for path in [*SYSTEM_NAMES, *paths]:
        folder, _, name = path.rpartition("/")
        room[folder] += (0x52 + 2 * utf16_units(name) + 7) & ~7
    return max(room.values()) > geometry.index_block - 0x80


def levels(paths: Collection[str]) -> int:
    return max((path.count("/") for path in paths), default=0)


def utf8_length(path: str) -> int:
    return len(path.encode("utf-8", "surrogatepass"))


def utf16_units(name: str) -> int:
    return len(name) + sum(character > "\uffff" for character in name)
