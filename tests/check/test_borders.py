"""What lies at the border of a rule: damage that once ended in a traceback, and what is no finding."""

from __future__ import annotations

import struct

import pytest

from ntfsbuild.checks.checker import check_volume
from ntfsbuild.ondisk.attribute import non_resident, resident
from tests.check import base, matrix_volume
from tests.check.matrix_records import listed
from tests.check.matrix_volume import AREA, in_restart
from tests.check.mutating import BITMAP, BLOCK, BLOCKS, DATA, EA, EA_INFORMATION, NAME, ROOT, SI, Image


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    return base.build(tmp_path_factory.mktemp("borders"))


@pytest.fixture(name="image")
def _image(sound: tuple[bytes, dict[str, int]]) -> Image:
    return Image(*sound)


def rules(image: Image) -> set[str]:
    return set(check_volume(image).counts)


# ---- once a traceback


@pytest.mark.parametrize("namespace", range(5))
def test_a_name_with_half_a_code_unit(image: Image, namespace: int) -> None:
    number = image["plain.txt"]
    value = image.get(number, NAME)[0x18:]
    size = 0x42 + 2 * value[0x40]
    image.value(number, NAME, 0x41, "<B", namespace)
    image.attribute(number, NAME, 0x10, "<I", size - 1)
    assert "N02" in rules(image)


@pytest.mark.parametrize("what", [EA, EA_INFORMATION])
def test_extended_attributes_with_a_name(image: Image, what: int) -> None:
    image.add(image["plain.txt"], resident(what, bytes(8), name="x"))
    assert "A14" in rules(image)


def test_half_a_name_at_the_end_of_a_record(image: Image) -> None:
    number = image["plain.txt"]
    image.add(number, resident(DATA, b"", name="x"))
    with image.record(number) as record:
        at = image.find(record, DATA, "x")
        struct.pack_into("<BBH", record, at + 8, 1, 255, len(record) - 7 - at)
    assert "A02" in rules(image)


# ---- no finding


def test_what_lies_below_extend_needs_no_descriptor(image: Image) -> None:
    """Windows makes $Extend/$RmMetadata/$Repair so."""
    image.value(image["$UsnJrnl"], SI, 0x34, "<I", 0)
    assert "S13" in rules(image)
    matrix_volume.journal()(image)
    assert "S13" not in rules(image)


@pytest.mark.parametrize("number", range(12))
def test_entries_of_ntfs_own_files_as_the_format_left_them(image: Image, number: int) -> None:
    """On a volume that Windows formatted and nobody used, that of the root is zeros but for its name."""
    raw_name = image.get(number, NAME)[0x18 + 0x42 :].rstrip(b"\0")
    for which in (None, *range(100)):
        with image.node(5, "$I30", which) as (node, places):
            for place in places[:-1]:
                if struct.unpack_from("<Q", node, place)[0] & 0xFFFFFFFF == number:
                    assert bytes(node[place + 0x52 :]).startswith(raw_name)
                    node[place + 0x18 : place + 0x50] = bytes(0x38)
                    break
            else:
                continue
        break
    assert not rules(image)


@pytest.mark.parametrize(("held", "flags"), [("$I30", 3), ("$R", 9), ("$I30", 1), ("", 5)])
def test_flags_of_an_extension_that_holds_an_index(image: Image, held: str, flags: int) -> None:
    """Windows marks it as what the index makes of the file; more than that is only noted."""
    holder, _ = listed(image, 3)
    if held:
        image.add(holder, resident(ROOT, bytes(32), name=held))
    image.put(holder, 0x16, "<H", flags)
    assert "L20" not in rules(image)
    image.put(holder, 0x16, "<H", 0xB if held else 3)
    assert "L20" in rules(image)


def test_a_backup_at_the_end_of_the_volume_or_of_the_partition(image: Image) -> None:
    backup = slice(image.sectors * image.sector, None)
    first = image.data[: image.sector]
    image.data[backup] = bytes(image.sector)
    assert rules(image) == {"B11"}
    image.data += bytes(8 * image.sector) + first
    assert not rules(image)
    image.data[backup] = bytes(image.sector)
    last = (image.sectors - 1) * image.sector
    image.data[last : last + image.sector] = first
    assert not rules(image)


def test_blocks_that_wait_for_names(image: Image) -> None:
    """Allocated, and neither in use nor initialized."""
    number, what = image["big"], (BLOCKS, "$I30")
    attribute = image.get(number, what)
    count = struct.unpack_from("<Q", attribute, 0x30)[0] // BLOCK
    runs = [(lcn, clusters) for _, lcn, clusters in image.runs_of(_record(image, number), *what)]
    free = matrix_volume.free_cluster(image)
    used = [*runs, (free, BLOCK // image.cluster)]
    for lcn in range(free, free + BLOCK // image.cluster):
        image.flip(6, DATA, lcn)
    longer = non_resident(
        BLOCKS,
        used,
        name="$I30",
        cluster_bytes=image.cluster,
        data_bytes=(count + 1) * BLOCK,
        initialized_bytes=count * BLOCK,
        instance=struct.unpack_from("<H", attribute, 0x0E)[0],
    )
    image.replace(number, what, longer)
    assert not rules(image)
    image.flip(number, (BITMAP, "$I30"), count)
    assert "I23" in rules(image)


def _record(image: Image, number: int) -> bytearray:
    return image.unprotected(image.where(number))


def test_of_restart_pages_of_one_age_the_first_counts(image: Image) -> None:
    in_restart(AREA + 0x0E, "<H", 0, slice(1, 2))(image)
    assert rules(image) == {"Y58"}


def test_what_the_second_restart_page_alone_says_counts_if_it_is_newer(image: Image) -> None:
    in_restart(AREA, "<Q", 0x200, slice(1, 2))(image)
    assert not rules(image)


def test_records_of_the_journal_may_begin_in_one_run_and_end_in_another(image: Image) -> None:
    number, what = image["$UsnJrnl"], (DATA, "$J")
    data = b""
    while len(data) <= 512:
        data += base.usn_record(len(data), "name.txt")
    [(_, lcn, count)] = image.runs_of(_record(image, number), *what)
    image.stream(number, what, 0, f"{len(data)}s", data)
    sizes = {"cluster_bytes": image.cluster, "data_bytes": count * image.cluster, "instance": 9}
    pieces = non_resident(DATA, [(lcn, 1), (lcn + 2, 1), (lcn + 1, 1)], name="$J", **sizes)
    image.replace(number, what, pieces)
    place = (lcn + 1) * image.cluster
    image.data[place : place + 2 * image.cluster] = (
        image.data[place + image.cluster : place + 2 * image.cluster]
        + image.data[place : place + image.cluster]
    )
    matrix_volume.journal()(image)
    assert not {rule for rule in rules(image) if rule[0] == "Y"}
    image.stream(number, what, 0x18, "<Q", 1)
    assert "Y37" in rules(image)
