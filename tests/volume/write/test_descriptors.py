"""$Secure: thousands of descriptors, block after block, filed on new and old volumes, judged by ntfs-3g."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild import builder
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.image.raw import RawImage
from ntfsbuild.ondisk import file_record, sddl, security, security_inheritance
from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.sddl_words import KINDS
from ntfsbuild.ondisk.security import Ace, SecurityEntry
from ntfsbuild.ondisk.security_templates import TEMPLATES
from ntfsbuild.volume.format.formatter import Formatter
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.indexes import leaf_entries
from ntfsbuild.volume.write.descriptors import place_of_next
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.foreign.real_volumes import VOLUMES, unpacked
from tests.oracle.ntfs3g import check_ntfssecaudit
from tests.volume.changing import START, PlainStorage

MANY = 10_000
SYSTEM = 4  # Descriptors that a new volume has.
needs_audit = pytest.mark.needs("ntfssecaudit")


def distinct(number: int, aces: int = 1) -> bytes:
    """A descriptor for everybody's number `number`."""
    mine = [Ace(0, security.READ, security.sid(5, 21, 1, 2, 3, number + one)) for one in range(aces)]
    return security.descriptor(security.ADMINISTRATORS, security.SYSTEM, mine)


def fresh(image: Path, descriptors: Sequence[bytes], cluster_bytes: int = 4096) -> list[int]:
    """A new volume that has these; returns their ids."""
    options = FormatOptions(size_bytes=None, times=(START,) * 4, serial=1, cluster_bytes=cluster_bytes)
    with image.open("w+b") as file:
        formatter = Formatter(RawImage(file.fileno(), str(image)), options)
        ids = [formatter.writer.secure.id_of(one) for one in descriptors]
        formatter.commit()
    return ids


def file_on(image: Path, descriptors: Sequence[bytes]) -> list[int]:
    """Files them on a volume; returns their ids."""
    with VolumeEditor(PlainStorage(image), force=True) as volume:
        ids = [volume._writer.secure.id_of(one) for one in descriptors]
        volume.commit()
    return ids


def check(image: Path, ids: Sequence[int], descriptors: Sequence[bytes]) -> None:
    assert check_ntfssecaudit(image).complaints == []
    with VolumeEditor(PlainStorage(image), force=True) as volume:
        assert [volume._transaction.descriptor_of(one) for one in ids] == list(descriptors)
        assert [volume._writer.secure.id_of(one) for one in descriptors] == list(ids)


def formatted(image: Path) -> Path:
    with image.open("wb") as out:
        out.truncate(64 << 20)
    subprocess.run(["mkntfs", "-Q", "-F", "-q", str(image)], check=True, capture_output=True)
    return image


# ---------------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("end", "size", "place"),
    [
        (0, 124, 0),
        (124, 124, 128),
        (0x3FF80, 0x80, 0x3FF80),
        (0x3FF80, 0x81, 0x80000),
        (0x3FFFC, 64, 0x80000),
        (0x40000, 64, 0x80000),
        (0xBFFF0, 17, 0x100000),
    ],
)
def test_places(end: int, size: int, place: int) -> None:
    assert place_of_next(end, size) == place


def test_what_is_filed_twice_has_one_id(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    ids = fresh(image, [distinct(number % 3) for number in range(9)])
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2] * 3
    by_hash, by_id, data = parts_of(image)
    assert len(by_hash) == len(by_id)
    for number, security_id in enumerate(ids[:3]):
        at = next(head.offset for head in by_id if head.security_id == security_id)
        assert SecurityEntry.unpack(data, at).offset == at
        assert data[at + 20 : at + 112] == distinct(number)
        assert data[at : at + 112] == data[at + 0x40000 : at + 0x40000 + 112]


def parts_of(image: Path) -> tuple[list[tuple[int, int]], list[SecurityEntry], bytes]:
    """The keys of $SDH and the entries of $SII, in the order of the indexes, and $SDS."""
    with Volume.open(image) as volume:
        catalog = volume._catalog
        record = catalog.record(file_record.SECURE)
        by_hash, by_id = (
            list(leaf_entries(catalog.index(record, name), name))  # type: ignore[attr-defined]
            for name in ("$SDH", "$SII")
        )
        keys = [struct.unpack_from("<II", entry, 0x10) for entry in by_hash]
        return keys, [SecurityEntry.unpack(entry, 0x14) for entry in by_id], volume.read("/$Secure", "$SDS")


# ---------------------------------------------------------------------- new volumes


@needs_audit
@pytest.mark.parametrize("cluster_bytes", [512, 4096])
def test_ten_thousand_on_a_new_volume(tmp_path: Path, cluster_bytes: int) -> None:
    image = tmp_path / "fresh.img"
    descriptors = [distinct(number, 1 + number % 5) for number in range(MANY)]
    check(image, fresh(image, descriptors, cluster_bytes), descriptors)


TRICKY = [
    [500, 1],  # A short one behind a long one: ntfssecaudit takes a mask for a size.
    [1, 500, 1, 2, 3],
    [2, 1, 1, 2, 1],
    [0],
    [100, 0],
    [1800, 1799, 1],
    [1800] * 8 + [3],  # Over the end of a block.
    [1000] * 7 + [500, 23, 1],
]


@needs_audit
@pytest.mark.parametrize("sizes", TRICKY, ids=str)
def test_no_end_of_the_stream_is_misread(tmp_path: Path, sizes: list[int]) -> None:
    image = tmp_path / "fresh.img"
    descriptors = [distinct(100_000 * place, size) for place, size in enumerate(sizes)]
    check(image, fresh(image, descriptors), descriptors)


@needs_audit
def test_ends_of_all_sizes_are_read(tmp_path: Path) -> None:
    dice = random.Random(5)
    for turn in range(25):
        image = tmp_path / f"{turn}.img"
        sizes = [dice.choice([0, 1, 2, 3, 5, 9, 40]) for _ in range(dice.randrange(1, 9))]
        descriptors = [distinct(1000 * place, size) for place, size in enumerate(sizes)]
        check(image, fresh(image, descriptors), descriptors)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 300), max_size=12))
def test_the_three_parts_hold_the_same(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    image = tmp_path_factory.mktemp("parts") / "disk.img"
    fresh(image, [distinct(1000 * place, size) for place, size in enumerate(sizes)])
    keys, by_id, data = parts_of(image)
    assert keys == sorted(keys)
    assert sorted(security_id for _, security_id in keys) == [0x100 + k for k in range(len(by_id))]
    assert len(sizes) <= len(by_id) - SYSTEM <= len(sizes) + 2
    for head in by_id:
        assert data[head.offset : head.offset + 20] == head.pack()
        assert sd.what_is_wrong(data[head.offset + 20 : head.offset + head.size_bytes]) is None


@needs_audit
def test_descriptors_of_all_kinds_are_sound(tmp_path: Path) -> None:
    """ntfs-3g looks into every entry that it knows."""
    image = tmp_path / "kinds.img"
    texts = [f"O:BAG:BAD:(A;;FA;;;SY)S:({kind};OICI;NW;;;WD)" for kind in KINDS]
    texts += [f"O:BAG:BAD:({kind};OICI;NW;;;WD)S:(ML;;NW;;;LW)" for kind in KINDS]
    texts += [*TEMPLATES.values(), "O:BAG:BA", "O:BAG:BAD:PAI", "O:WDG:WDD:S:"]
    texts += [
        'O:BAG:BAD:(XA;;FX;;;WD;(@User.a Any_of {"x", 1, #00, SID(BA)} && !(Exists b)))',
        'O:BAG:BAS:(RA;;;;;WD;("n",TS,0,"a","b"))(RA;;;;;WD;("m",TD,1,BA))',
        "O:BAG:BAD:(OA;CI;CR;bf967aba-0de6-11d0-a285-00aa003049e2;bf967aba-0de6-11d0-a285-00aa003049e2;DA)",
    ]
    descriptors = list(dict.fromkeys(sddl.parse(text) for text in texts))
    check(image, fresh(image, descriptors), descriptors)


# ---------------------------------------------------------------------- old volumes


@needs_audit
@pytest.mark.needs("mkntfs")
def test_ten_thousand_on_an_old_volume(tmp_path: Path) -> None:
    image = formatted(tmp_path / "old.img")
    descriptors = [distinct(number, 1 + number % 5) for number in range(MANY)]
    check(image, file_on(image, descriptors), descriptors)
    check(image, file_on(image, descriptors), descriptors)


@needs_audit
@pytest.mark.needs("mkntfs")
@pytest.mark.parametrize("sizes", TRICKY, ids=str)
def test_no_end_is_misread_on_an_old_volume(tmp_path: Path, sizes: list[int]) -> None:
    """One in each commit: whatever is the last one is judged."""
    image = formatted(tmp_path / "old.img")
    descriptors = [distinct(100_000 * place, size) for place, size in enumerate(sizes)]
    ids = []
    for one in descriptors:
        ids += file_on(image, [one])
        assert check_ntfssecaudit(image).complaints == []
    check(image, ids, descriptors)


@needs_audit
@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_filed_on_volumes_of_windows(volumes: Path, tmp_path: Path, name: str) -> None:
    """Stale bytes of Windows behind the last entry, which nobody may read, are no more."""
    image = unpacked(volumes / name)
    many = [900] * (20 if image.stat().st_size > 4 << 20 else 2)  # Over the end of a block.
    for turn, sizes in enumerate([[1], [0, 3], many, [1]]):
        copy = tmp_path / f"{turn}.img"
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        descriptors = [distinct(100_000 * turn + 1000 * place, size) for place, size in enumerate(sizes)]
        check(copy, file_on(copy, descriptors), descriptors)
        copy.unlink()


@pytest.mark.needs("mkntfs")
def test_a_look_up_reads_little_of_the_stream(tmp_path: Path) -> None:
    image = formatted(tmp_path / "old.img")
    descriptors = [distinct(number, 40) for number in range(2000)]  # 3 MB, twice.
    ids = file_on(image, descriptors)
    storage = PlainStorage(image)
    with VolumeEditor(storage) as volume:
        secure = volume._writer.secure
        secure.id_of(descriptors[0])
        before = storage.read_bytes
        assert secure.id_of(descriptors[1234]) == ids[1234]
        assert volume._transaction.descriptor_of(ids[1500]) == descriptors[1500]
        assert storage.read_bytes - before < 64 << 10


# ---------------------------------------------------------------------- damage: one answer for all

DAMAGES = {  # Where in an entry of $SDS, and with what it is overwritten.
    "the hash": (0x00, b"\x55"),
    "the id": (0x04, b"\x55"),
    "the size": (0x10, b"\xff\xff"),
    "the owner": (0x14 + 0x04, b"\0"),
    "an access mask": (0x14 + 0x14 + 0x0C, b"\x11\x22"),
    "all of it": (0, bytes(0x60)),
}
MIRROR = security.BLOCK_BYTES


def with_directory(image: Path) -> tuple[bytes, int]:
    """An image with a directory that hands down a descriptor of its own, which lies there at an offset."""
    manifest = image.with_suffix(".yaml")
    text = "O:BAG:SYD:P(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
    manifest.write_text(
        f'ntfsbuild: 1\nvolume: {{size: 4MiB}}\ntree: {{d/: {{.: {{security: "{text}"}}}}}}\n'
    )
    builder.build(manifest, image)
    with Volume.open(image) as volume:
        handing = volume.traits("/d").security
    assert handing is not None
    return handing, image.read_bytes().index(handing) - SecurityEntry.SIZE


def damaged(image: Path, *places: int, with_what: bytes) -> None:
    data = bytearray(image.read_bytes())
    for at in places:
        assert data[at : at + len(with_what)] != with_what
        data[at : at + len(with_what)] = with_what
    image.write_bytes(data)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("in_place", [False, True], ids=["copy", "in place"])
def test_a_change_reads_the_mirror_of_a_damaged_descriptor(
    tmp_path: Path, damage: str, in_place: bool
) -> None:
    image = tmp_path / "a.img"
    handing, at = with_directory(image)
    place, with_what = DAMAGES[damage]
    damaged(image, at + place, with_what=with_what)
    change = tmp_path / "change.yaml"
    change.write_text("ntfsbuild: 1\ntree: {d/new.txt: x}\n")
    done = builder.apply(change, image, in_place=in_place)
    assert any("is damaged; its mirror" in note for note in done.notes)
    with Volume.open(image) as volume:
        got = volume.traits("/d/new.txt").security
        assert got == security_inheritance.inherited(handing, directory=False)
        assert volume.traits("/d").security == handing
        assert any("is damaged; its mirror" in one for one in volume.damage.messages)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mirror_is_not_asked(tmp_path: Path, damage: str) -> None:
    image = tmp_path / "a.img"
    handing, at = with_directory(image)
    place, with_what = DAMAGES[damage]
    damaged(image, at + MIRROR + place, with_what=with_what)
    with Volume.open(image, "r+") as volume:
        assert volume.traits("/d").security == handing
        assert volume.volume.damage.messages == ()


@pytest.mark.parametrize("damage", DAMAGES)
def test_where_both_are_damaged_reading_and_changing_refuse(tmp_path: Path, damage: str) -> None:
    image = tmp_path / "a.img"
    _, at = with_directory(image)
    place, with_what = DAMAGES[damage]
    damaged(image, at + place, at + MIRROR + place, with_what=with_what)
    before = image.read_bytes()
    with Volume.open(image) as volume, pytest.raises(CorruptVolume, match="neither there nor in the mirror"):
        volume.traits("/d")
    with Volume.open(image, "r+") as editor, pytest.raises(CorruptVolume, match="neither there nor in the"):
        editor.make_file("/d/new.txt", b"x", (START,) * 4, 0x20)
    assert image.read_bytes() == before


def test_an_id_that_nobody_has_is_handed_down_by_nobody(tmp_path: Path) -> None:
    image = tmp_path / "a.img"
    with_directory(image)
    with Volume.open(image, "r+") as volume:
        assert volume._transaction.descriptor_of(0x99) is None
        volume._writer.names.settable_at("/d").change_information({"security_id": 0x7777})
        with pytest.raises(CorruptVolume, match="no descriptor for its id 0x7777"):
            volume.make_file("/d/new.txt", b"x", (START,) * 4, 0x20)


def test_text_of_what_is_filed() -> None:
    assert sddl.text(distinct(7)) == "O:BAG:SYD:(A;;FR;;;S-1-5-21-1-2-3-7)"
