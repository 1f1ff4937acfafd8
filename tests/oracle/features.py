"""What foreign programs say of features: ntfs-3g's own attributes, wimlib's list, istat, icat, dissect.

Where a judge compares trees, this shows single values: whoever knows what they have to be compares.
"""

import ctypes
import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle.bare import Bare, u16, u32, u64
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import decode_name, last_lines, run
from tests.oracle.wimlib import CONFIG, FIELD, PATH

# With these it shows named streams behind a colon, and what is encrypted as it lies there.
OPTIONS = "ro,streams_interface=windows,efs_raw"
SHOWN = ("acl", "attrib", "efsinfo", "reparse_data", "object_id", "dos_name", "times", "ea")
TOOLS = ("ntfs-3g", "mounting")


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as ntfs-3g shows it: `values` are its extended attributes `system.ntfs_*`, those that it has."""

    mode: int
    size: int
    record: int
    links: int
    device: tuple[int, int]
    target: str | None
    values: dict[str, bytes]


def shown(image: Path, paths: Iterable[str]) -> dict[str, Shown]:
    with mounted(image, OPTIONS) as top:
        return {path: _shown(top, path) for path in paths}


def _shown(top: Path, path: str) -> Shown:
    where = os.path.join(top, path)
    info = os.lstat(where)
    values = {}
    for name in SHOWN:
        try:
            values[name] = _value(where, f"system.ntfs_{name}")
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP, errno.EMLINK):
                raise  # Several links are what ntfs-3g tells no short name of.
    target = None
    if stat.S_ISLNK(info.st_mode):
        target = decode_name(os.fsencode(os.readlink(where))).removeprefix(str(top))
    device = os.major(info.st_rdev), os.minor(info.st_rdev)
    return Shown(info.st_mode, info.st_size, info.st_ino, info.st_nlink, device, target, values)


def _value(path: str, name: str) -> bytes:
    """Python asks with a short buffer first, and ntfs-3g does not say in every case that it is too short."""
    buffer = ctypes.create_string_buffer(1 << 16)
    size = LIBC.lgetxattr(os.fsencode(path), name.encode(), buffer, len(buffer))
    if size < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return buffer.raw[:size]


LIBC = ctypes.CDLL(None, use_errno=True)


def streams(image: Path, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """The contents of named streams (and, with an empty name, of files), by path and name, from ntfs-3g."""
    found = {}
    with mounted(image, OPTIONS) as top:
        for path, name in wanted:
            # The kernel keeps what an attribute of the mount point itself is: "." is the root.
            where = f"{top}/{path}:{name}" if name else f"{top}/{path}"
            with open(where, "rb") as f:
                found[path, name] = f.read()
    return found


def details(image: Path) -> dict[str, dict[str, str]]:
    """All fields of `wimlib-imagex dir --detailed` by path, those that stand before the streams."""
    with tempfile.TemporaryDirectory(prefix="wimlib-") as folder:
        wim, config = Path(folder, "out.wim"), Path(folder, "config.ini")
        config.write_text(CONFIG)
        done = run(["wimlib-imagex", "capture", image, wim, "--compress=none", f"--config={config}"])
        listed = run(["wimlib-imagex", "dir", wim, "--detailed"])
    if done.returncode or listed.returncode:
        raise OSError(f"wimlib: {last_lines(done.stdout)}; {last_lines(listed.stdout)}")
    found = {}
    for block in listed.stdout.split(b"-" * 76 + b"\n"):
        if path := PATH.search(block):
            rest = b"Short Name " + block[path.end() :]
            fields = {key.decode(): decode_name(value) for key, value in FIELD.findall(rest)}
            found[decode_name(path[1])] = fields
    return found


def istat(image: Path, record: int) -> str:
    """What the Sleuth Kit says of a record."""
    done = run(["istat", image, str(record)])
    if done.returncode:
        raise OSError(f"istat: {last_lines(done.stdout)}")
    return done.stdout.decode()


def runs_of(image: Path, record: int) -> list[tuple[str, int]]:
    """ntfsinfo's list of the unnamed $DATA's runs: the LCN or <HOLE>, and clusters."""
    said = run(["ntfsinfo", "-v", "-i", str(record), image]).stdout.decode("utf-8", "replace")
    section = re.split(r"Dumping attribute ", said)
    data = next(part for part in section if part.startswith("$DATA (0x80)") and "Attribute name" not in part)
    lines = re.findall(r"0x[0-9a-f]+\t\t(<HOLE>|0x[0-9a-f]+)\t\t0x([0-9a-f]+)", data)
    return [(lcn, int(count, 16)) for lcn, count in lines]


def icat(image: Path, record: int, type_code: int = 128, number: int | None = None) -> bytes:
    """The bytes of an attribute, from the Sleuth Kit."""
    address = f"{record}-{type_code}" + ("" if number is None else f"-{number}")
    done = run(["icat", image, address])
    if done.returncode:
        raise OSError(f"icat {address}: {last_lines(done.stdout)}")
    return done.stdout


def named_by_tsk(image: Path, record: int) -> dict[str, int]:
    """The numbers of the named $DATA attributes of a record, for `icat`."""
    rows = re.findall(
        r"^Type: \$DATA \(128-(\d+)\)   Name: (.*?)   (?:Non-)?Resident", istat(image, record), re.MULTILINE
    )
    return {name: int(number) for number, name in rows if name != "N/A"}


def from_7zip(image: Path, path: str) -> bytes:
    """A file, or with ":name" behind it a stream, as 7-Zip extracts it."""
    with tempfile.TemporaryDirectory(prefix="7z-") as folder:
        done = run(["7z", "x", "-y", "-sns", f"-o{folder}", image, path])
        found = [one for one in Path(folder).rglob("*") if one.is_file()]
        if len(found) != 1:
            raise OSError(f"7z x {path}: {last_lines(done.stdout)}")
        return found[0].read_bytes()


def by_dissect(image: Path, path: str) -> dict[str, Any]:
    """Fields by dissect: of $STANDARD_INFORMATION, each $FILE_NAME, and the entry in the directory."""
    from dissect.ntfs import NTFS

    with image.open("rb") as f:
        volume = NTFS(f)
        record = volume.mft.get(path)
        folder, _, name = path.rpartition("/")
        parent = volume.mft.get(folder) if folder else volume.mft.root
        items = [item.attribute for item in parent.iterdir() if item.attribute.file_name == name]
        return {
            "information": record.attributes.STANDARD_INFORMATION[0].attribute.attr,
            "names": [one.attribute.attr for one in record.attributes.FILE_NAME],
            "entry": items[0].attr,
        }


def dissect_reads(image: Path, path: str, stream: str = "", at: int = 0, size: int = -1) -> bytes:
    from dissect.ntfs import NTFS

    with image.open("rb") as f, NTFS(f).mft.get(path).open(stream) as content:
        content.seek(at)
        return bytes(content.read(size))


# ---- attribute lists, entry by entry, from the bytes


def unordered_lists(volume: Bare, numbers: Iterable[int], records: dict[int, Any]) -> Iterator[str]:
    """Where an $ATTRIBUTE_LIST is not as Windows has it: sorted, and each entry naming what is there."""
    for number in numbers:
        for piece in [one for one in records[number].pieces if one.type_code == LIST]:
            yield from _disorder(number, volume.content([piece]), records)


LIST, NAME_AT = 0x20, 0x1A


def _disorder(number: int, data: bytes, records: dict[int, Any]) -> Iterator[str]:
    before: tuple[int, str, int] = (0, "", -1)
    listed: set[tuple[int, int]] = set()
    at = 0
    while at < len(data):
        length, units, name_at = u16(data, at + 4), data[at + 6], data[at + 7]
        if name_at != NAME_AT:
            yield f"record {number}: the name of an entry is at {name_at:#x}"
        name = data[at + NAME_AT : at + NAME_AT + 2 * units].decode("utf-16-le", "surrogatepass")
        key = (u32(data, at), name.upper(), u64(data, at + 8))
        if key < before:
            yield f"record {number}: {key} is listed after {before}"
        reference, instance = u64(data, at + 16), u16(data, at + 24)
        holder = records.get(reference & (1 << 48) - 1)
        there = (
            [
                one
                for one in holder.pieces
                if (one.type_code, one.name) == (key[0], name)
                and one.instance == instance
                and one.lowest == key[2]
            ]
            if holder and holder.reference == reference
            else []
        )
        if len(there) != 1:
            yield f"record {number}: {key} is not where the list says"
        listed.add((reference & (1 << 48) - 1, instance))
        if length < NAME_AT + 2 * units or length % 8:
            yield f"record {number}: an entry of {length} bytes"
        before, at = key, at + max(length, 8)
    for other in [one for one in records.values() if number in (one.number, one.base & (1 << 48) - 1)]:
        for piece in other.pieces:
            if piece.type_code != LIST and (other.number, piece.instance) not in listed:
                yield f"record {number}: attribute {piece.type_code:#x} in {other.number} is not listed"
