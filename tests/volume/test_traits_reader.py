"""What files have, as the volumes of other makers have it, as their programs say it; and damage."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ntfsbuild.errors import CorruptVolume, NtfsBuildError
from ntfsbuild.ondisk import extended_attributes, object_id, reparse_point, sddl, security
from ntfsbuild.ondisk.security_descriptor import what_is_wrong
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.report.listing import file_facts, file_lines
from ntfsbuild.volume.opening import Volume
from tests.conftest import VOLUMES
from tests.foreign.real_volumes import VOLUMES as REAL
from tests.foreign.real_volumes import unpacked
from tests.oracle import menagerie, specimen
from tests.oracle.ntfs3g import mounted

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/listing.schema.json").read_text(encoding="utf-8"))
FILE = jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/file"}]})
ACL, REPARSE, EA, ID = (f"system.ntfs_{one}" for one in ("acl", "reparse_data", "ea", "object_id"))
DOS = "system.ntfs_dos_name"
LATER = 0x01D9_0000_0000_0000
BIRTH = bytes(range(100, 116)), bytes(range(50, 66)), bytes(16)
WSL = [("$LXUID", struct.pack("<I", 1000), 0), ("$LXMOD", struct.pack("<I", 0o100640), 0)]
DESCRIPTORS = 400
LIBC = ctypes.CDLL(None, use_errno=True)


def special_descriptor(number: int) -> bytes:
    return sddl.parse(f"O:BAG:SYD:P(A;;FA;;;SY)(A;;FR;;;S-1-5-21-1-2-3-{number})")


@pytest.fixture(scope="module", name="foreign")
def _foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume of mkntfs, on which ntfs-3g has set everything that it can."""
    image = tmp_path_factory.mktemp("traits") / "foreign.img"
    menagerie.make(image, size=64 << 20)
    with mounted(image, "rw,streams_interface=windows,compression,efs_raw") as top:
        for number in range(DESCRIPTORS):
            (top / f"secured {number}").touch()
            os.setxattr(top / f"secured {number}", ACL, special_descriptor(number))
        (top / "wsl").touch()
        os.setxattr(top / "wsl", EA, extended_attributes.pack(WSL))
        (top / "born elsewhere").touch()
        os.setxattr(top / "born elsewhere", ID, bytes(range(1, 17)) + b"".join(BIRTH))
        (top / "a long name of a file").touch()
        os.setxattr(top / "a long name of a file", DOS, b"SHORTY~1.TXT")
        (top / "BOTH.TXT").touch()
        os.setxattr(top / "BOTH.TXT", DOS, b"BOTH.TXT")
        (top / "old").touch()
        os.setxattr(top / "old", "system.ntfs_times", struct.pack("<4Q", LATER, LATER + 1, LATER, LATER + 2))
        (top / "odd link").touch()
        os.setxattr(top / "odd link", REPARSE, struct.pack("<IHH", 0x8000_0ABC, 4, 0) + b"data")
    return image


def paths(volume: Volume, *, system: bool = False) -> Iterator[str]:
    yield "/"
    for path, _ in volume.walk(system=system):
        yield path


def asked(path: Path, name: str) -> bytes | None:
    """What ntfs-3g says of it; it raises where there is nothing.

    Python asks with a small buffer first, and then ntfs-3g fails instead of telling how much it needs.
    """
    buffer = ctypes.create_string_buffer(1 << 17)
    size = LIBC.lgetxattr(os.fsencode(path), name.encode(), buffer, len(buffer))
    if size < 0:
        assert ctypes.get_errno() in (errno.ENODATA, errno.EOPNOTSUPP, errno.EPERM), ctypes.get_errno()
        return None
    return buffer.raw[:size]


def compared(image: Path) -> int:
    """Compare all files of a volume; how many there are."""
    with Volume.open(image) as volume, mounted(image, "ro,streams_interface=none,efs_raw") as top:
        count = 0
        for path in paths(volume):
            there, traits = top / path[1:], volume.traits(path)
            assert traits.security == asked(there, ACL), path
            assert traits.reparse == asked(there, REPARSE), path
            assert traits.ea == asked(there, EA), path
            assert (traits.efs is None) == (asked(there, "system.ntfs_efsinfo") is None), path
            ids = asked(there, ID)
            assert (traits.object_id or b"").ljust(64, b"\0")[:16] == (ids or bytes(16))[:16], path
            if traits.object_id and ids:
                assert object_id.parse(traits.object_id) == object_id.ObjectId.unpack(ids.ljust(64, b"\0"))
            short = (asked(there, DOS) or b"").decode()
            if short:
                assert traits.short_name == short, path
            count += 1
        return count


@pytest.mark.needs(*menagerie.TOOLS)
def test_what_ntfs3g_has_set(foreign: Path) -> None:
    assert compared(foreign) > DESCRIPTORS + 40


@pytest.mark.needs("dissect.ntfs", *specimen.TOOLS)
@pytest.mark.parametrize("name", REAL)
def test_real_volumes(name: str) -> None:
    if not (VOLUMES / name).is_file():
        pytest.skip("the sample volumes are not beside the checkout")
    image = unpacked(VOLUMES / name)
    assert compared(image) > 3
    assert compared_with_dissect(image) > 3
    shown_wholly(image)


def shown_wholly(image: Path) -> None:
    """Everything on the volume can be shown, fits the schema, and nothing is malformed."""
    with Volume.open(image) as volume:
        for path in paths(volume, system=True):
            details = volume.details(path)
            assert details.faults == {}, path
            assert details.traits == volume.traits(path)
            assert details.traits.security is not None or details.info.record == 0, path  # mkntfs' $MFT.
            facts = file_facts(details)
            FILE.validate(json.loads(json.dumps(facts)))
            assert list(file_lines(facts))
            assert "malformed" not in json.dumps(facts), path


@pytest.mark.needs(*menagerie.TOOLS)
def test_everything_is_shown(foreign: Path) -> None:
    shown_wholly(foreign)
    with Volume.open(foreign) as volume:
        traits = {name: volume.traits(f"/{name}") for name in ("wsl", "born elsewhere", "BOTH.TXT", "old")}
        assert traits["wsl"].ea == extended_attributes.pack(WSL)
        assert traits["born elsewhere"].object_id == bytes(range(1, 17)) + b"".join(BIRTH)
        assert traits["BOTH.TXT"].short_name == "BOTH.TXT"
        for spelled in ("a long name of a file", "SHORTY~1.TXT"):
            assert volume.traits(f"/{spelled}").short_name == "SHORTY~1.TXT"
        old = volume.stat("/old")
        assert old.times == (LATER, LATER + 1, old.times[2], LATER)
        late = volume.traits("/object id").name_times  # It was written to after it was made.
        assert late == volume.stat("/object id").names[0].times != volume.stat("/object id").times
        facts = {name: file_facts(volume.details(f"/{name}")) for name in (*traits, "odd link", "secured 7")}
        lists = [one for path in paths(volume) if (one := volume.details(path)).has_attribute_list]
    assert lists
    assert all(one.records[0] == one.info.record and len(one.records) > 1 for one in lists)
    assert facts["wsl"]["unix"] == {"uid": 1000, "gid": None, "mode": "0100640", "device": None}
    assert facts["secured 7"]["security"]["sddl"] == "O:BAG:SYD:P(A;;FA;;;SY)(A;;FR;;;S-1-5-21-1-2-3-7)"
    assert facts["secured 7"]["security"]["owner"] == "BA"
    assert facts["odd link"]["reparse"]["data"] == b"data".hex()
    assert "unix:       uid 1000, mode 0100640" in file_lines(facts["wsl"])


def times_by_dissect(attr: Any) -> tuple[int, int, int, int]:
    return attr.CreationTime, attr.LastModificationTime, attr.LastChangeTime, attr.LastAccessTime


FORMS: dict[int, str] = {0: "plain", 1: "compressed", 0x8000: "sparse", 0x4000: "encrypted"}


def streams_by_dissect(record: Any) -> dict[str, tuple[Any, ...]]:
    """Form, size, allocated and initialized bytes, runs."""
    found: dict[str, tuple[Any, ...]] = {}
    pieces = [one for one in record.attributes.get(0x80, []) if not one.header.resident]
    for one in record.attributes.get(0x80, []):
        head = one.header
        if head.resident:
            found[one.name] = FORMS[head.flags], head.size, head.size, head.size, ()
        elif head.lowest_vcn == 0:
            mine = sorted((o for o in pieces if o.name == one.name), key=lambda o: o.header.lowest_vcn)
            runs = [run for piece in mine for run in piece.header.dataruns()]
            valid = head.header.Form.Nonresident.ValidDataLength
            found[one.name] = FORMS[head.flags], head.size, head.allocated_size, valid, tuple(runs)
    return found


def compared_with_dissect(image: Path) -> int:
    """Names, their times, those of their entries, all of $STANDARD_INFORMATION; how many there are."""
    from dissect.ntfs import NTFS

    names, listings = 0, {}
    with Volume.open(image) as volume, image.open("rb") as file:
        theirs = NTFS(file)
        for path in paths(volume):
            details = volume.details(path)
            record = theirs.mft.get(details.info.record)
            standard = record.attributes.STANDARD_INFORMATION[0].attribute.attr
            assert details.info.times == times_by_dissect(standard), path
            streams = {
                one.name: (one.form, one.size_bytes, one.allocated_bytes, one.initialized_bytes, one.runs)
                for one in details.info.streams
            }
            said = streams_by_dissect(record)  # It overlooks some in the last record of a list.
            assert said == {name: streams[name] for name in said}, path
            assert details.has_attribute_list or said == streams, path
            traits = details.traits
            if traits.owner_id is not None:
                ours = traits.owner_id, details.info.security_id, traits.quota_charged, traits.usn
                assert ours == (standard.OwnerId, standard.SecurityId, standard.QuotaCharged, standard.Usn)
            found = [one.attribute for one in record.attributes.FILE_NAME]
            assert sorted((one.file_name, one.flags, times_by_dissect(one.attr)) for one in found) == sorted(
                (one.name, one.namespace, one.times) for one in details.info.names
            ), path
            for name, entry in zip(details.info.names, details.entries, strict=True):
                assert entry is not None
                if name.parent_record not in listings:
                    above = theirs.mft.get(name.parent_record)
                    listings[name.parent_record] = {
                        one.attribute.file_name: times_by_dissect(one.attribute.attr)
                        for one in above.iterdir()
                    }
                assert entry.times == listings[name.parent_record][name.name], path
                names += 1
    return names


@pytest.mark.needs("dissect.ntfs", *menagerie.TOOLS)
def test_dissect_says_the_same(foreign: Path) -> None:
    assert compared_with_dissect(foreign) > DESCRIPTORS


@pytest.mark.needs(*menagerie.TOOLS)
def test_forms(foreign: Path) -> None:
    with Volume.open(foreign) as volume:
        found = {}
        for path in paths(volume):
            for stream in volume.stat(path).streams:
                found.setdefault(stream.form, []).append(stream)
    assert {"plain", "sparse", "compressed"} <= set(found)
    for form in ("sparse", "compressed"):
        assert any(0 <= one.occupied_bytes < one.allocated_bytes for one in found[form])
    assert all(one.occupied_bytes == one.allocated_bytes for one in found["plain"])


# ---- of our own making, and while it is changed


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> Path:
    from ntfsbuild import builder

    (tmp_path / "own.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: 16MiB}\ndefaults: {times: 2024-01-01T00:00:00Z}\n"
        "tree: {a.txt: a, d/: {.: {}, b.txt: b}}\n",
        encoding="utf-8",
    )
    builder.build(tmp_path / "own.yaml", tmp_path / "own.img")
    return tmp_path / "own.img"


CHANGES = Traits(
    security=special_descriptor(9),
    reparse=reparse_point.symlink("elsewhere"),
    object_id=bytes(range(1, 17)) + b"".join(BIRTH),
    name_times=(LATER, LATER, LATER + 1, LATER),
    entry_times=(None, None, LATER, LATER),
    owner_id=5,
    quota_charged=6,
    usn=7,
    class_id=8,
)


def test_a_change_can_be_read_before_it_is_committed(own: Path) -> None:
    with Volume.open(own, "r+") as volume:
        before = volume.traits("/a.txt")
        assert before.security == security.DEFAULT_FILE
        assert (before.name_times, before.entry_times, before.case_sensitive) == (None, None, None)
        volume.set_traits("/a.txt", CHANGES, LATER)
        volume.set_traits("/d", Traits(case_sensitive=True, ea=extended_attributes.pack(WSL)), LATER)
        changed, folder = volume.traits("/a.txt"), volume.traits("/d")
        volume.commit()
        assert volume.traits("/a.txt") == changed
    with Volume.open(own) as volume:
        assert volume.traits("/a.txt") == changed
        assert volume.traits("/d") == folder
        times = volume.stat("/a.txt").times
    assert changed.security == CHANGES.security
    assert (changed.reparse, changed.object_id) == (CHANGES.reparse, CHANGES.object_id)
    assert changed.name_times == CHANGES.name_times
    assert changed.entry_times == (*times[:2], LATER, LATER)
    assert (changed.owner_id, changed.quota_charged, changed.usn, changed.class_id) == (5, 6, 7, 8)
    assert folder.case_sensitive and folder.ea == extended_attributes.pack(WSL)
    shown_wholly(own)


def test_a_fresh_object_id_is_short(own: Path) -> None:
    with Volume.open(own, "r+") as volume:
        volume.set_traits("/a.txt", Traits(object_id=bytes(range(1, 17))), LATER)
        assert volume.traits("/a.txt").object_id == bytes(range(1, 17))
        volume.commit()
    with Volume.open(own) as volume:
        assert volume.traits("/a.txt").object_id == bytes(range(1, 17))


# ---- damage


def offsets_of(image: Path, needle: bytes) -> list[int]:
    data, found, at = image.read_bytes(), [], -1
    while (at := data.find(needle, at + 1)) >= 0:
        found.append(at)
    return found


def overwrite(image: Path, at: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_the_mirror_of_a_descriptor_is_there_for_a_reason(own: Path) -> None:
    places = offsets_of(own, security.DEFAULT_FILE)
    assert len(places) == 2
    overwrite(own, places[0], b"\xff" * 8)
    with Volume.open(own) as volume:
        assert volume.traits("/a.txt").security == security.DEFAULT_FILE
    overwrite(own, places[1], b"\xff" * 8)
    with Volume.open(own) as volume:
        with pytest.raises(CorruptVolume, match=r"record 9: \$SDS at 0x"):
            volume.traits("/a.txt")
        facts = file_facts(volume.details("/a.txt"))
        assert facts["security"]["malformed"].startswith("record 9: $SDS at 0x")
        FILE.validate(facts)
        assert any("malformed: record 9" in line for line in file_lines(facts))


def test_malformed_values_are_shown(own: Path) -> None:
    """Whoever says traits in bytes may say anything; it is read as it is."""
    wrong = Traits(reparse=struct.pack("<IHH", 0xA000_000C, 2, 0) + b"ab", security=b"\x01" * 32)
    with Volume.open(own, "r+") as volume:
        volume.set_traits("/a.txt", Traits(reparse=wrong.reparse), LATER)
        volume.commit()
    with Volume.open(own) as volume:
        facts = file_facts(volume.details("/a.txt"))
    FILE.validate(facts)
    assert "malformed" in facts["reparse"]
    assert any(line.startswith("reparse:") and "malformed" in line for line in file_lines(facts))


@pytest.mark.needs(*menagerie.TOOLS)
def test_damage_is_an_answer_or_an_error(foreign: Path, tmp_path: Path) -> None:
    """Whatever byte is wrong: no traceback, and what is shown fits the schema."""
    image = tmp_path / "damaged.img"
    image.write_bytes(foreign.read_bytes())
    names = ["wsl", "born elsewhere", "object id", "junction", "extended attributes", "secured 3"]
    with Volume.open(image) as volume:
        cluster = volume.geometry.cluster_bytes
        mft = volume.stat("/$MFT").streams[0].runs[0][0]
        assert mft is not None
        records = [volume.stat(f"/{name}").record for name in names] + [9, 25]
    places = [mft * cluster + number * 1024 for number in records]
    chance, errors = random.Random(5), 0
    descriptor = os.open(image, os.O_RDWR)
    for _ in range(900):
        at = chance.choice(places) + chance.randrange(48, 600)
        good = os.pread(descriptor, 1, at)
        os.pwrite(descriptor, bytes([good[0] ^ chance.choice((1, 4, 0x80, 0xFF))]), at)
        with Volume.open(image) as volume:
            for name in chance.sample(names, 2):
                try:
                    FILE.validate(json.loads(json.dumps(file_facts(volume.details(f"/{name}")))))
                    volume.traits(f"/{name}")
                except NtfsBuildError as error:
                    errors += 1
                    assert str(error)
        os.pwrite(descriptor, good, at)
    os.close(descriptor)
    assert errors


@pytest.mark.needs(*menagerie.TOOLS)
def test_no_descriptor_is_read_but_the_one_that_is_asked_for(foreign: Path) -> None:
    with Volume.open(foreign) as volume:
        assert volume.stat("/$Secure").record == 9
        whole = sum(stream.size_bytes for stream in volume.stat("/$Secure").streams)
        read: list[int] = []
        real = volume._storage.read
        volume.traits("/secured 1")  # What lies on the way is known from here on.
        volume._storage.read = lambda at, size: read.append(size) or real(at, size)  # type: ignore
        wanted = volume.traits("/secured 399").security
    assert wanted == special_descriptor(399)
    assert what_is_wrong(wanted) is None
    assert sum(read) < whole / 10
