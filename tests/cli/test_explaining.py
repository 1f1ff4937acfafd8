"""explain: every field has its place and its meaning, every byte its owner; damage is shown, not raised."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.builder.explanation import explain
from ntfsbuild.errors import NtfsBuildError
from tests.command import run
from tests.disks import Disks

STREAMS = ", ".join(f"stream{number:03}: some content" for number in range(100))
FILES = ", ".join(f'"a name of a file {number:03}.txt": x' for number in range(100))
TREE = f"""\
  a.txt: {{text: hello, ea: {{NOTE: hi}}, object_id: 6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11, streams: {{s: x}}}}
  big.bin: {{size: 300000, fill: random}}
  link: {{symlink: a.txt}}
  many.bin: {{streams: {{{STREAMS}}}}}
  dir/: {{{FILES}}}
"""


@pytest.fixture(name="image")
def _image(disk: Disks) -> Path:
    defaults = {"times": "2024-01-01", "short_names": True}
    return disk(TREE, label="LABEL", size="auto+1MiB", defaults=defaults)


def explained(image: Path, target: object) -> list[dict[str, Any]]:
    done = run("explain", "--json", image, target)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def leaves(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if "parts" in part:
            yield from leaves(part["parts"])
        else:
            yield part


def test_a_record_is_told_field_by_field(image: Path) -> None:
    (found,) = explained(image, "/a.txt")
    assert found["file"] == "/a.txt"
    named = {part["name"]: part for part in found["parts"]}
    assert {"$STANDARD_INFORMATION", "$OBJECT_ID", "$EA_INFORMATION", "$EA", "$DATA", "$DATA s"} <= set(named)
    raw = image.read_bytes()[found["offset"] : found["offset"] + found["size_bytes"]]
    protected = {0x1FE, 0x1FF, 0x3FE, 0x3FF}
    for part in leaves(found["parts"]):
        where = range(part["at"], part["at"] + part["size_bytes"])
        if not protected & set(where):
            assert bytes.fromhex(part["hex"]) == raw[part["at"] : part["at"] + part["size_bytes"]], part
    values = {part["name"]: part["value"] for part in leaves(found["parts"])}
    assert values["created_ticks"] == "2024-01-01T00:00:00.0000000Z"
    head = {part["name"]: part for part in found["parts"]}
    assert head["flags"]["value"] == "in_use" and head["used_bytes"]["unit"] == "bytes"
    name = {part["name"]: part["value"] for part in leaves(head["$FILE_NAME"]["parts"])}
    assert (name["type_code"], name["non_resident"]) == ("$FILE_NAME", "resident")
    assert name["namespace"] in ("Win32", "DOS", "Win32 and DOS")
    assert name["attributes"].split()[0] == "archive"
    assert explained(image, found["what"].split()[1]) == [found]


def test_all_records_of_a_file_are_shown(image: Path) -> None:
    found = explained(image, "/many.bin")
    assert len(found) > 1 and {one["file"] for one in found} == {"/many.bin"}
    assert any(part["name"] == "$ATTRIBUTE_LIST" for part in found[0]["parts"])


def places(image: Path) -> dict[str, int]:
    from ntfsbuild import Volume

    with Volume.open(image) as volume:
        cluster = volume.geometry.cluster_bytes
        big = volume.stat("/big.bin").streams[0].runs[0][0]
        records = {name: explain(image, name)[0].offset for name in ("/a.txt", "/dir")}
        size = volume.geometry.size_bytes
    assert big is not None
    return {"data": big * cluster + 5000, "record": records["/a.txt"] + 0x16, "backup": size - 512 + 0x48}


def test_a_byte_is_told_with_its_field_and_its_file(image: Path) -> None:
    at = places(image)
    (boot,) = explained(image, "0x28")
    assert boot["way"] == ["boot sector", "total_sectors"]
    (backup,) = explained(image, hex(at["backup"]))
    assert backup["way"] == ["boot sector", "serial"]
    (record,) = explained(image, hex(at["record"]))
    assert record["file"] == "/a.txt" and record["way"][-1] == "flags"
    (data,) = explained(image, hex(at["data"]))
    assert (data["file"], data["what"]) == ("/big.bin", "$DATA")
    assert data["parts"] == []


def test_an_index_block_is_told(image: Path) -> None:
    from ntfsbuild.ondisk import attribute
    from ntfsbuild.volume.opening import Volume

    with Volume.open(image) as volume:
        places = volume.locator()
        attributes = volume._catalog.record(volume.stat("/dir").record).attributes
        found = [one for one in attributes if one.type_code == attribute.INDEX_ALLOCATION]
        lcn = found[0].runs[0][0]
        assert lcn is not None and places.owner_of(lcn) is not None
        at = lcn * volume.geometry.cluster_bytes + 0x58
    (block,) = explained(image, hex(at))
    assert block["file"] == "/dir" and block["what"].startswith("index block at 0x0 of $I30")
    names = [part["name"] for part in block["parts"] if part["name"].startswith("entry ")]
    assert names[0].startswith("entry A") or names[0].startswith("entry a name of a file")


@pytest.mark.parametrize(
    ("target", "code"), [("nothing", 2), ("/no/such", 3), ("99999999", 2), ("0xffffffffff", 2)]
)
def test_what_is_not_there_is_an_error(image: Path, target: str, code: int) -> None:
    done = run("explain", image, target)
    assert done.returncode == code and "Traceback" not in done.stderr


def test_damage_is_shown_and_never_a_traceback(image: Path, tmp_path: Path) -> None:
    dice, good = random.Random(1), image.read_bytes()
    offset = explain(image, "/a.txt")[0].offset
    damaged = tmp_path / "damaged.img"
    for _ in range(150):
        data = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            data[offset + dice.randrange(0x30, 1024)] = dice.randrange(256)
        damaged.write_bytes(data)
        try:
            (found,) = explain(damaged, hex(offset))
        except NtfsBuildError:
            continue
        assert found.structure.parts
