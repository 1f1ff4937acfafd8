"""`size: auto` has room for any steps, and not absurdly much."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ntfsbuild import builder

LONG = "x" * 200


class History:
    """Random steps that can be taken; what a path is does not matter here, only how much it takes."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.files = [f"/t{number}" for number in range(dice.randrange(5))]
        sizes = [dice.choice([0, 10, 300, 700, 5000, 100_000]) for _ in self.files]
        self.tree = "".join(
            f"  {path[1:]}: {{size: {size}, fill: random}}\n"
            for path, size in zip(self.files, sizes, strict=True)
        )
        self.directories = [""]
        self.made = 0

    def place(self) -> str:
        self.made += 1
        return f"{self.dice.choice(self.directories)}/n{self.made}{self.dice.choice(['', '', LONG])}"

    def step(self) -> str:
        dice, kind = self.dice, self.dice.randrange(10)
        if kind < 4 or not self.files:
            path = dice.choice(self.files) if self.files and dice.random() < 0.6 else self.place()
            if path not in self.files:
                self.files.append(path)
            where = dice.choice(["append: ", *[f"at: {at}, write: " for at in (0, 100, 4096, 300_000)]])
            stream = dice.choice(["", "", f"stream: s{dice.randrange(3)}, "])
            size = dice.choice([0, 1, 200, 300, 800, 4096, 20_000])
            return f"{{{stream}{where}{path}, size: {size}, fill: random}}"
        if kind == 4:
            return f"{{truncate: {dice.choice(self.files)}, size: {dice.choice([0, 1, 400, 200_000])}}}"
        if kind == 5:
            self.directories.append(self.place())
            return f"{{mkdir: {self.directories[-1]}}}"
        old = self.files[dice.randrange(len(self.files))]
        if kind == 6:
            self.files.append(self.place())
            return f"{{link: {old}, to: {self.files[-1]}}}"
        self.files.remove(old)
        if kind == 7:
            return f"{{delete: {old}}}"
        self.files.append(self.place())
        return f"{{rename: {old}, to: {self.files[-1]}}}"


@pytest.mark.parametrize("seed", range(60))
def test_there_is_room_for_every_history(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    history = History(dice)
    steps = [f"  - {history.step()}\n" for _ in range(dice.randrange(1, 60))]
    cluster = dice.choice(["512", "1KiB", "4KiB", "64KiB"])
    text = (
        f"ntfsbuild: 1\nvolume: {{size: auto, cluster: {cluster}}}\ntree:\n{history.tree or '  {}'}\nsteps:\n"
    )
    (tmp_path / "disk.yaml").write_text(text + "".join(steps))
    builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img")


def test_a_long_log_does_not_take_more_than_it_holds(tmp_path: Path) -> None:
    lines = "".join(f"  - {{append: log.txt, text: line number {k:05}}}\n" for k in range(5000))
    (tmp_path / "disk.yaml").write_text("ntfsbuild: 1\ntree: {log.txt: ''}\nsteps:\n" + lines)
    (tmp_path / "plain.yaml").write_text("ntfsbuild: 1\ntree: {log.txt: {size: 90000}}\n")
    steps = builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img").size_bytes
    plain = builder.build(tmp_path / "plain.yaml", tmp_path / "plain.img").size_bytes
    assert steps - plain < 512 << 10
