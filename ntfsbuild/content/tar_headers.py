"""The members of a tar archive, header by header: v7, ustar, star, GNU and PAX, sparse files of all versions.

An archive may come from anyone, and Python's tarfile trusts it: it takes negative sizes, sparse maps beyond
2**63, headers of gigabytes and endless chains of long names.  Here every number is checked before it is used,
nothing is recursive, and only the few records of a PAX header that matter are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from ntfsbuild.content.archive import BLOCK_BYTES, Archive, has_tar_checksum
from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.content.problems import shown
from ntfsbuild.errors import ManifestError
from ntfsbuild.named_tuple import NamedTuple

# A header that extends the next one; a path has at most 32,767 UTF-16 units, which are 96 KiB of UTF-8.
EXTENSION_BYTES_MAX: Final = 1 << 20
# All of them together: an archive with little else takes seconds for each MiB.
EXTENSIONS_BYTES_MAX: Final = 16 << 20
EXTENSIONS_RATIO_MAX: Final = 16  # Added to it for each byte of the (compressed) archive.
EXTENTS_MAX: Final = 500_000  # Of all sparse files; one more for each block of the archive.

REGULAR: Final = frozenset([b"0", b"\0", b"7", b"S"])
HARD_LINK, SYMBOLIC_LINK, CHARACTER_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO = b"1", b"2", b"3", b"4", b"5", b"6"
VOLUME_LABEL = b"V"
_SPARSE = b"S"
_WITHOUT_DATA = frozenset([HARD_LINK, SYMBOLIC_LINK, CHARACTER_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO])
_DEVICES = frozenset([CHARACTER_DEVICE, BLOCK_DEVICE])
_POSIX_MAGIC, _STAR_MAGIC = b"ustar\0", b"tar\0"

_SPARSE_NUMBERS = frozenset([b"GNU.sparse.offset", b"GNU.sparse.numbytes"])
_SPARSE_MAP = b"GNU.sparse.map"
_SPARSE_MAJOR, _SPARSE_MINOR = b"GNU.sparse.major", b"GNU.sparse.minor"
_KEPT = frozenset(b"path linkpath size mtime uid gid".split()) | {
    _SPARSE_MAP,
    _SPARSE_MAJOR,
    _SPARSE_MINOR,
    b"GNU.sparse.name",
    b"GNU.sparse.size",
    b"GNU.sparse.realsize",
}
_DIGITS = b"0123456789"
_DIGITS_MAX = 20  # Of 2**63 - 1 there are 19.
_READ_BYTES = 1 << 14
_OLD_MAP_ENTRIES, _MORE_MAP_ENTRIES = 4, 21

Extents = tuple[tuple[int, int], ...]


class TarHeader(NamedTuple):
    """A member; `extents` has offset and size of each extent of a sparse file, stored one after the other."""

    name: str  # Bytes that are not UTF-8 are lone surrogates, here and in `link_name`.
    kind: bytes
    link_name: str
    mode: int
    uid: int
    gid: int
    device: tuple[int, int] | None
    mtime_ns: int | None  # None: it is not a number.
    offset: int
    size_bytes: int
    extents: Extents | None


def headers(archive: Archive) -> Iterator[TarHeader]:
    """All members in the order of the archive; raises ManifestError where it is damaged."""
    return _Reader(archive).headers()


class _Extension:
    """The values for a member from the extended headers before it."""

    __slots__ = ("link_name", "name", "records")

    def __init__(self, records: dict[bytes, bytes]) -> None:
        self.name: bytes | None = None
        self.link_name: bytes | None = None
        self.records = records


class _Reader:
    """The position in one archive, and how much of its limits is left."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._at = 0
        self._chunk, self._chunk_at = b"", 0
        self._fields, self._found = b"", (0, 0, 0)
        self._extensions_left = EXTENSIONS_BYTES_MAX + EXTENSIONS_RATIO_MAX * archive.packed_bytes
        self._extents_left = EXTENTS_MAX + archive.packed_bytes // BLOCK_BYTES

    def headers(self) -> Iterator[TarHeader]:
        everywhere: dict[bytes, bytes] = {}
        extension, extends = _Extension({}), False
        while (block := self._header()) is not None:
            kind = block[156:157]
            if kind == b"L":
                extension.name = _text(self._extension_data(block))
            elif kind == b"K":
                extension.link_name = _text(self._extension_data(block))
            elif kind in (b"x", b"X"):
                extension.records = everywhere | self._records(self._extension_data(block))
            elif kind == b"g":
                everywhere = everywhere | self._records(self._extension_data(block))
                extension.records = everywhere | extension.records
                continue  # It applies to all members that follow.
            else:
                yield self._member(block, kind, extension)
                extension, extends = _Extension(everywhere), False
                continue
            extends = True
        if extends:
            self._damaged(f"the header before byte {self._at} belongs to no member")

    def _damaged(self, reason: str) -> NoReturn:
        raise ManifestError(f"{shown(self._archive.path)} is damaged: {reason}")

    def _read(self, length: int) -> bytes:
        """The next `length` bytes; an archive that ends before is damaged."""
        at, size = self._at, self._archive.size_bytes
        if at + length > size:
            self._damaged(f"it is cut off after {min(at, size)} bytes")
        self._at = at + length
        if length > _READ_BYTES:
            return self._archive.read(at, length)
        begin = at - self._chunk_at
        if begin < 0 or begin + length > len(self._chunk):
            self._chunk = self._archive.read(at, min(_READ_BYTES, size - at))
            self._chunk_at, begin = at, 0
        return self._chunk[begin : begin + length]

    def _header(self) -> bytes | None:
        """The block of the next header; None at the end, which is a block of zeros."""
        at = self._at
        block = self._read(BLOCK_BYTES)
        if has_tar_checksum(block):
            return block
        if any(block):
            self._damaged(f"there is no member at byte {at}")
        return None

    def _number(self, block: bytes, begin: int, end: int) -> int:
        """A field in octal digits, or in base 256 where the first bit is set; the next bit is the sign."""
        field = block[begin:end]
        if field[0] & 0x80:
            value = int.from_bytes(field, "big") - (1 << 8 * len(field) - 1)
            sign = 1 << 8 * len(field) - 2
            return value - 2 * sign if value & sign else value
        text = field.split(b"\0", 1)[0].strip()
        if text.strip(b"01234567"):
            self._damaged(f"the header that ends at byte {self._at} has a field that is not a number")
        return int(text or b"0", 8)

    def _size(self, block: bytes, begin: int = 124, end: int = 136) -> int:
        size = self._number(block, begin, end)
        if not 0 <= size <= SIZE_MAX:
            self._damaged(f"the header that ends at byte {self._at} has an impossible size: {size}")
        return size

    def _decimal(self, text: bytes, what: str) -> int:
        if len(text) > _DIGITS_MAX or not text or text.strip(_DIGITS) or int(text) > SIZE_MAX:
            self._damaged(f"{what} before byte {self._at} is not a size")
        return int(text)

    def _extension_data(self, block: bytes) -> bytes:
        size = self._size(block)
        if size > EXTENSION_BYTES_MAX:
            at = self._at - BLOCK_BYTES
            raise ManifestError(
                f"{shown(self._archive.path)}: the extended header at byte {at} has {size} bytes, "
                f"at most {EXTENSION_BYTES_MAX} are read"
            )
        self._extensions_left -= size
        if self._extensions_left < 0:
            most = EXTENSIONS_BYTES_MAX + EXTENSIONS_RATIO_MAX * self._archive.packed_bytes
            raise ManifestError(
                f"{shown(self._archive.path)}: its extended headers have more than {most} bytes "
                f"({EXTENSIONS_BYTES_MAX} and {EXTENSIONS_RATIO_MAX} times the size of the archive)"
            )
        data = self._read(size)
        self._at += -size % BLOCK_BYTES
        return data

    def _records(self, data: bytes) -> dict[bytes, bytes]:
        """The records of a PAX header that matter here; a record has its length, a key and a value."""
        found: dict[bytes, bytes] = {}
        numbers: list[bytes] = []
        at, end = 0, len(data)
        while at < end and data[at]:  # Some makers pad with zeros.
            space = data.find(b" ", at, at + _DIGITS_MAX)
            digits = data[at:space] if space > at else b""
            length = int(digits) if digits and not digits.strip(_DIGITS) else 0
            equals = data.find(b"=", space, at + length)
            if equals < 0 or at + length > end or data[at + length - 1] != 0x0A:
                self._damaged(f"there is no record in the PAX header that ends at byte {self._at}")
            key = data[space + 1 : equals]
            if key in _KEPT:
                found[key] = data[equals + 1 : at + length - 1]
            elif key in _SPARSE_NUMBERS:
                numbers.append(data[equals + 1 : at + length - 1])
            at += length
        if numbers:
            found[_SPARSE_MAP] = b",".join(numbers)
        return found

    def _member(self, block: bytes, kind: bytes, extension: _Extension) -> TarHeader:
        records = extension.records
        name = records.get(b"path") or extension.name or _name(block)
        if kind == b"\0" and name.endswith(b"/"):  # Old archives have no type for directories.
            kind = DIRECTORY
        stored = self._decimal(records[b"size"], "the size") if records.get(b"size") else self._size(block)
        if kind in _WITHOUT_DATA:
            stored = 0
        size, numbers = stored, self._old_map(block) if kind == _SPARSE else None
        end = self._at + stored
        if end > self._archive.size_bytes:
            self._damaged(f"it is cut off in {shown(name)}")
        if numbers is not None:
            size = self._size(block, 483, 495)
        elif _SPARSE_MAP in records or _SPARSE_MAJOR in records:
            name = records.get(b"GNU.sparse.name") or name
            real = records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size") or b""
            size, numbers = self._decimal(real, "the size of a sparse file"), self._pax_map(records, end)
        extents = None if numbers is None else self._extents(name, numbers, size, end - self._at)
        offset, self._at = self._at, end + -stored % BLOCK_BYTES
        link_name = records.get(b"linkpath") or extension.link_name or _text(block[157:257])
        mtime = records.get(b"mtime")
        mode, uid, gid = self._permissions(block)
        return TarHeader(
            name=name.decode("utf-8", "surrogateescape"),
            kind=kind,
            link_name=link_name.decode("utf-8", "surrogateescape"),
            mode=mode,
            uid=self._decimal(records[b"uid"], "an owner") if records.get(b"uid") else uid,
            gid=self._decimal(records[b"gid"], "a group") if records.get(b"gid") else gid,
            device=self._device(block) if kind in _DEVICES else None,
            mtime_ns=_nanoseconds(mtime) if mtime else self._number(block, 136, 148) * 1_000_000_000,
            offset=offset,
            size_bytes=size,
            extents=extents,
        )

    def _permissions(self, block: bytes) -> tuple[int, int, int]:
        """Mode, owner and group, which most members have in common with the one before."""
        fields = block[100:124]
        if fields != self._fields:
            self._fields = fields
            found = [self._number(block, begin, begin + 8) for begin in (100, 108, 116)]
            self._found = found[0], found[1], found[2]
        return self._found

    def _device(self, block: bytes) -> tuple[int, int]:
        return self._number(block, 329, 337), self._number(block, 337, 345)

    # ------------------------------------------------------------------ sparse files

    def _old_map(self, block: bytes) -> list[int]:
        """Offsets and sizes, by turns, in the header of an old sparse file and in the blocks after it."""
        numbers: list[int] = []
        at, entries, more = 386, _OLD_MAP_ENTRIES, block[482]
        while True:
            for entry in range(at, at + 24 * entries, 24):
                if not any(block[entry : entry + 24]):
                    break
                numbers.append(self._size(block, entry, entry + 12))
                numbers.append(self._size(block, entry + 12, entry + 24))
            self._spend_extents(entries)
            if not more:
                return numbers
            block = self._read(BLOCK_BYTES)
            at, entries, more = 0, _MORE_MAP_ENTRIES, block[504]

    def _pax_map(self, records: dict[bytes, bytes], end: int) -> list[int]:
        """Offsets and sizes, by turns, of a sparse file of PAX; version 1.0 has them before the data."""
        if _SPARSE_MAJOR not in records:
            numbers = records[_SPARSE_MAP].split(b",") if records[_SPARSE_MAP] else []
            self._spend_extents(len(numbers) // 2)
            return [self._decimal(number, "a number of a sparse map") for number in numbers]
        if (records[_SPARSE_MAJOR], records.get(_SPARSE_MINOR)) != (b"1", b"0"):
            self._damaged(f"the sparse file before byte {self._at} is of an unknown version")
        found: list[int] = []
        rest, wanted = b"", 1
        while len(found) < wanted:
            if self._at + BLOCK_BYTES > end or len(rest) > _DIGITS_MAX:
                self._damaged(f"the sparse map before byte {self._at} is cut off")
            *lines, rest = (rest + self._read(BLOCK_BYTES)).split(b"\n")
            for line in lines[: wanted - len(found)] if found else lines:
                found.append(self._decimal(line, "a number of a sparse map"))
                if len(found) == 1:
                    self._spend_extents(found[0])
                    wanted = 1 + 2 * found[0]
        return found[1:wanted]

    def _spend_extents(self, count: int) -> None:
        self._extents_left -= count
        if self._extents_left < 0:
            most = EXTENTS_MAX + self._archive.packed_bytes // BLOCK_BYTES
            raise ManifestError(
                f"{shown(self._archive.path)}: its sparse files have more than {most} extents "
                f"({EXTENTS_MAX} and one for each block of the archive)"
            )

    def _extents(self, name: bytes, numbers: Sequence[int], size: int, stored: int) -> Extents:
        """The extents of a sparse file that are not empty; they must ascend, not overlap, and be complete."""
        found = []
        end = total = 0
        for at, length in zip(numbers[::2], numbers[1::2], strict=False):
            if at < end or at + length > size:
                self._damaged(f"{shown(name)} has extents that overlap or lie behind its end")
            end, total = at + length, total + length
            if length:
                found.append((at, length))
        if len(numbers) % 2 or total > stored:
            self._damaged(f"{shown(name)} has fewer bytes than its sparse map says")
        return tuple(found)


def _name(block: bytes) -> bytes:
    """The name in a header; one of POSIX may have its beginning in a field of its own."""
    name = _text(block[:100])
    if block[257:263] != _POSIX_MAGIC:
        return name
    prefix = _text(block[345 : 476 if block[508:512] == _STAR_MAGIC else 500])
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _nanoseconds(text: bytes) -> int | None:
    """Nanoseconds from a decimal number of seconds, rounded down; None if it is not a number."""
    whole, _, fraction = text.strip().partition(b".")
    digits = whole.removeprefix(b"-")
    if not (digits + fraction).isdigit() or len(whole) > _DIGITS_MAX:
        return None
    nanoseconds = int(fraction[:9].ljust(9, b"0"))
    seconds = int(digits or b"0") * 1_000_000_000
    if not whole.startswith(b"-"):
        return seconds + nanoseconds
    return -seconds - nanoseconds - (1 if fraction[9:].strip(b"0") else 0)
