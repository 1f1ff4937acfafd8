"""What is known of a volume under check: its geometry, what its records say, and where findings go."""

from __future__ import annotations

from array import array

from ntfsbuild.checks.findings import Findings
from ntfsbuild.checks.storage import Extents, Source
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as attributes
from ntfsbuild.ondisk import upcase
from ntfsbuild.ondisk.runs import Run

I30 = "$I30".encode("utf-16-le")
EXTENSION = 0x8000  # In `kinds`: the record belongs to another one.
HAS_INDEX = 0x4000  # In `kinds`: it has an $INDEX_ROOT.
HAS_STREAM = 0x2000  # In `kinds`: it has an unnamed $DATA.
HAS_LINKS = 0x1000  # In `kinds`: it has several names, short ones not counted.
MOST_METADATA_BYTES = 1 << 28  # Of a stream that is read as a whole.


class BootGeometry(NamedTuple):
    """What the boot sector says, as far as it makes sense."""

    sector_bytes: int
    cluster_bytes: int
    record_bytes: int
    block_bytes: int
    total_sectors: int
    mft_lcn: int
    mirror_lcn: int

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return self.total_sectors * self.sector_bytes // self.cluster_bytes

    @property
    def vcn_unit(self) -> int:
        """Bytes that a VCN of an index counts."""
        return self.cluster_bytes if self.cluster_bytes <= self.block_bytes else 512


class CheckedAttribute:
    """One attribute of one record, as far as it could be read."""

    __slots__ = (
        "allocated",
        "at",
        "flags",
        "highest",
        "holder",
        "initialized",
        "instance",
        "length",
        "lowest",
        "name",
        "resident",
        "runs",
        "size",
        "stored",
        "type",
        "unit",
        "value",
    )

    def __init__(self, type_code: int, name: bytes, flags: int, instance: int, at: int, holder: int) -> None:
        self.type = type_code
        self.name = name  # UTF-16.
        self.flags = flags
        self.instance = instance
        self.at = at
        self.holder = holder
        self.length = 0
        self.resident = True
        self.value = b""
        self.lowest = self.unit = self.allocated = self.size = self.initialized = 0
        self.highest = -1
        self.stored: int | None = None
        self.runs: list[Run] = []

    @property
    def label(self) -> str:
        """Its type and name, for people."""
        return label(self.type, self.name)


class CheckedStream:
    """An attribute of a file with all its pieces."""

    def __init__(self, pieces: list[CheckedAttribute]) -> None:
        self.first = pieces[0]
        self.pieces = pieces
        self.size = len(self.first.value) if self.first.resident else self.first.size

    @property
    def runs(self) -> list[Run]:
        """All its runs."""
        if len(self.pieces) == 1:
            return self.first.runs
        return [run for piece in self.pieces for run in piece.runs]


class CheckedFile(NamedTuple):
    """A base record with the attributes of all its records."""

    number: int
    sequence: int
    links: int
    flags: int
    attributes: list[CheckedAttribute]
    streams: dict[tuple[int, bytes], CheckedStream]

    @property
    def reference(self) -> int:
        """By which others name it."""
        return self.sequence << 48 | self.number

    def stream(self, type_code: int, name: bytes = b"") -> CheckedStream | None:
        """One of its attributes."""
        return self.streams.get((type_code, name))


class Examination:
    """The examination of one volume: what all checks share."""

    def __init__(self, source: Source, geometry: BootGeometry, findings: Findings) -> None:
        self.source = source
        self.geometry = geometry
        self.findings = findings
        self.say = findings.add
        self.records = 0
        self.upcase: dict[int, int] | None = None
        self.plain_ascii = True  # Whether $UpCase does to ASCII what `str.upper` does.
        self.units_decoded = 0  # Of LZNT1.
        self.chunks_decoded = 0  # Of WOF.
        self.log_lsn: int | None = None  # The current one of a log that is in use and clean.
        self.security_ids: set[int] = set()
        self.used_security_ids: dict[int, int] = {}  # And the first record that has it.
        self.owner_ids: dict[int, int] = {}
        self.unsecured = array(
            "Q"
        )  # Records that have room for a security id, and neither that nor a descriptor.
        self.ea_sizes: dict[int, int] = {}  # Packed, of reparse points.
        self.reparse_points: dict[bytes, int] = {}  # By the keys that $R should have.
        self.object_ids: dict[bytes, int] = {}
        # Of files with several names: what their entries do not repeat; those that have one that does.
        self.stale: dict[int, list[tuple[str, str, str]]] = {}
        self.in_step: set[int] = set()
        # By record: what it says of itself, and what others may expect of it.
        self.sequences = array("H")
        self.kinds = array("H")
        self.parents = array("Q")
        self.sizes = array("Q")
        self.allocated = array("Q")
        self.attributes = array("I")
        self.tags = array("I")
        self.unlisted = array("Q")  # Sum of the hashes of names that no entry was seen of.

    def set_records(self, count: int) -> None:
        """Make room for what is kept of that many records."""
        self.records = count
        for one in (self.sequences, self.kinds, self.parents, self.sizes, self.allocated):
            one.frombytes(bytes(one.itemsize * count))
        for one in (self.attributes, self.tags, self.unlisted):
            one.frombytes(bytes(one.itemsize * count))

    def content(self, stream: CheckedStream | None, most_bytes: int = MOST_METADATA_BYTES) -> bytes:
        """The bytes of a stream, up to what is initialized."""
        if stream is None:
            return b""
        if stream.first.resident:
            return stream.first.value
        there = min(stream.size, sum(count for _, count in stream.runs) * self.geometry.cluster_bytes)
        there = min(there, most_bytes)
        initialized = min(stream.first.initialized, there)
        return self.extents(stream).read(0, initialized) + bytes(there - initialized)

    def extents(self, stream: CheckedStream) -> Extents:
        """Where a non-resident stream lies."""
        return Extents(self.source, stream.runs, self.geometry.cluster_bytes)

    def folded(self, name: bytes) -> bytes:
        """A key that orders names as indexes do, their case aside."""
        return self.upper(name.decode("utf-16-le", "surrogatepass")).encode("utf-16-be", "surrogatepass")

    def upper(self, text: str) -> str:
        """The text in upper case, by the volume's own table."""
        if self.plain_ascii and text.isascii():
            return text.upper()
        return upcase.upper(text, self.upcase)


def label(type_code: int, name: bytes = b"") -> str:
    """An attribute's type and name, for people."""
    shown = attributes.TYPE_NAMES.get(type_code, f"{type_code:#x}")
    return f"{shown}:{text_of(name)}" if name else shown


def text_of(name: bytes) -> str:
    """A name for people; what is no UTF-16 is shown as it is."""
    return name[: len(name) & ~1].decode("utf-16-le", "backslashreplace")
