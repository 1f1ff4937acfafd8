"""Records of plain files are read on a fast path: with and without it the same is found, in all damage."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ntfsbuild import builder
from ntfsbuild.errors import NtfsBuildError
from ntfsbuild.volume.read import catalog
from ntfsbuild.volume.read.volume import VolumeReader
from tests.check.mutating import Image

MANIFEST = """\
ntfsbuild: 1
volume: {size: auto, cluster: 512, serial: 1}
defaults: {times: 2024-01-01}
tree:
  d/:
    resident.text: {text: resident, attributes: [hidden], owner_id: 7, usn: 9, version_max: 3}
    SHORT.TXT: {size: 3000, fill: random, name_times: 2020-01-01}
    Ünïcode näme.txt: {size: 3000, fill: random, entry_times: 2021-01-01}
    valid.bin: {size: 9000, valid_data: 700, data: [{at: 0, fill: random, size: 700}]}
    empty:
"""
PATHS = ["d/resident.text", "d/SHORT.TXT", "d/Ünïcode näme.txt", "d/valid.bin", "d/empty"]
HEAD = range(4, 8)  # The place of the update sequence array.

Sound = tuple[bytes, dict[str, int]]


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain.yaml").write_text(MANIFEST, encoding="utf-8")
    builder.build(folder / "plain.yaml", folder / "plain.img")
    data = (folder / "plain.img").read_bytes()
    volume = VolumeReader(Image(data, {}))
    return data, {path.strip("/"): item.record for path, item in volume.walk("/", system=True)}


def answers(image: Image) -> list[Any]:
    """What a reader says of every file: all metadata and the content, or the error."""
    found: list[Any] = []
    volume = VolumeReader(image)
    for file in volume.files("/d"):
        for ask in (
            lambda file=file: file.info(),
            lambda file=file: file.traits(),
            lambda file=file: (file.is_directory, file.is_linked),
            lambda file=file: file.read(),
            lambda file=file: list(file.data_pieces()),
            lambda file=file: list(file.raw_pieces()),
            lambda file=file: file.part_reader()(1, 600),
        ):
            try:
                found.append(ask())
            except NtfsBuildError as error:
                found.append(f"{type(error).__name__}: {error}")
    return found


def compare_both_ways(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = answers(image)
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "plain_record", lambda *_: None)
        slow = answers(image)
    assert fast == slow


def test_the_fast_path_is_taken(sound: Sound) -> None:
    """Otherwise every comparison here compares one path with itself."""
    plain = {file.path: file.plain for file in VolumeReader(Image(*sound)).files()}
    assert {path for path, one in plain.items() if one is not None} == {f"/{path}" for path in PATHS}


@pytest.mark.parametrize("path", PATHS)
def test_each_byte_of_a_record(sound: Sound, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(path)
    number = sound[1][path]
    compare_both_ways(Image(*sound), monkeypatch)
    used = int.from_bytes(Image(*sound).unprotected(Image(*sound).where(number))[0x18:0x1C], "little")
    for at in range(used):
        if at not in HEAD:
            image = Image(*sound)
            with image.record(number) as record:
                record[at] = dice.choice([record[at] ^ 1 << dice.randrange(8), record[at] + 1 & 0xFF, 0])
            compare_both_ways(image, monkeypatch)
