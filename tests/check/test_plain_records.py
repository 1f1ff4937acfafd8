"""Plain records and entries are only compared: with that and without it the same is found, in all damage."""

from __future__ import annotations

import random

import pytest

from ntfsbuild import builder
from ntfsbuild.checks.checker import check_volume
from ntfsbuild.checks.directories import ListedEntries
from ntfsbuild.checks.plain_records import PlainRecords
from ntfsbuild.volume.opening import Volume
from tests.check.mutating import BLOCK, BLOCKS, Image

MANIFEST = """\
ntfsbuild: 1
volume: {size: auto, cluster: 512, serial: 1}
defaults: {times: 2024-01-01, short_names: true}
tree:
  d/:
    A long name.text: resident
    SHORT.TXT: {size: 3000, fill: random}
    Ünïcode näme.txt: {size: 3000, fill: random}
"""
MANIFEST += "".join(f'    file number {number}.txt: "{number}"\n' for number in range(12))
HEAD = range(4, 8)  # Where the update sequence array is.


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain.yaml").write_text(MANIFEST, encoding="utf-8")
    builder.build(folder / "plain.yaml", folder / "plain.img")
    with Volume.open(folder / "plain.img") as volume:
        numbers = {path.strip("/"): item.record for path, item in volume.walk("/", system=True)}
    return (folder / "plain.img").read_bytes(), numbers


def both_ways(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    short = check_volume(image)
    with monkeypatch.context() as patch:
        patch.setattr(PlainRecords, "take", lambda *_: False)
        patch.setattr(ListedEntries, "take", lambda self, entries: [self.check(*one[:2]) for one in entries])
        long = check_volume(image)
    assert (short.findings, short.counts) == (long.findings, long.counts)


def test_the_short_way_is_taken(sound: tuple[bytes, dict[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all that is compared here is one way with itself."""
    taken: list[int] = []
    listed: list[int] = []
    take, check = PlainRecords.take, ListedEntries.check

    def spied(self: PlainRecords, chunk: bytes, at: int, number: int) -> bool:
        found = take(self, chunk, at, number)
        taken.extend([number] * found)
        return found

    monkeypatch.setattr(PlainRecords, "take", spied)
    monkeypatch.setattr(ListedEntries, "check", lambda self, *one: [listed.append(one[0]), check(self, *one)])
    assert not check_volume(Image(*sound)).counts
    files = {number for path, number in sound[1].items() if path.startswith("d/")}
    assert files <= set(taken)
    assert not files & {reference & 0xFFFFFFFF for reference in listed}


@pytest.mark.parametrize("path", ["d/A long name.text", "d/SHORT.TXT", "d/Ünïcode näme.txt"])
def test_each_byte_of_a_record(
    sound: tuple[bytes, dict[str, int]], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(path)
    number = sound[1][path]
    used = int.from_bytes(Image(*sound).unprotected(Image(*sound).where(number))[0x18:0x1C], "little")
    for at in range(0, used, 2):
        if at not in HEAD:
            image = Image(*sound)
            with image.record(number) as record:
                record[at] = dice.choice([record[at] ^ 1 << dice.randrange(8), record[at] + 1 & 0xFF, 0])
            both_ways(image, monkeypatch)


def test_bytes_of_a_block_of_entries(
    sound: tuple[bytes, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(1)
    number = sound[1]["d"]
    for at in range(8, 0x300, 3):
        image = Image(*sound)
        with image.editing(image.place(number, (BLOCKS, "$I30")), BLOCK) as block:
            block[at] ^= 1 << dice.randrange(8)
        both_ways(image, monkeypatch)


def test_names_that_are_not_in_order(
    sound: tuple[bytes, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with each in turn, and twice the same, in upper case and in lower case."""
    number = sound[1]["d"]
    for nth in range(8):
        for name in (
            "a",
            "FILE NUMBER 1.TXT",
            "file number 1.txt",
            "ÜNÏCODE NÄME.TXT",
            "\U0001f600",
            "\uffee",
        ):
            image = Image(*sound)
            with image.node(number, "$I30", 0) as (block, places):
                at = places[nth] + 0x10
                raw = name.encode("utf-16-le")[: 2 * block[at + 0x40]]
                block[at + 0x40] = len(raw) // 2
                block[at - 6 : at - 4] = (0x42 + len(raw)).to_bytes(2, "little")
                block[at + 0x42 : at + 0x42 + len(raw)] = raw
            both_ways(image, monkeypatch)
