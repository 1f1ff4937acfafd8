"""What the histories of one base have in common: where they happen, and who judges them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.model.bases import Base
from tests.model.judging import Judge
from tests.model.steps import Step, manifest_text

FOUND = Path(__file__).parent / "found"


@dataclass
class Bench:
    """`failed` are the events of the last history that did."""

    base: Base
    folder: Path
    judge: Judge
    every_commit: bool = False  # Whether the quick readers judge every commit, or only the last one.
    failed: list[Step] | None = None
    histories: int = 0
    operations: int = 0

    def copy_of_base(self, name: str) -> Path:
        image = self.folder / name
        subprocess.run(["cp", "--sparse=always", self.base.image, image], check=True)
        return image

    def manifest(self, name: str, steps: Sequence[Step]) -> Path:
        """A manifest of these steps, beside its base where it has one."""
        path = self.folder / name
        path.write_text(self.text(steps), "utf-8")
        beside = self.folder / self.base.image.name
        if not self.base.is_ours and not beside.exists():
            beside.symlink_to(self.base.image)
        return path

    def text(self, steps: Sequence[Step], commits: Sequence[int] = ()) -> str:
        posix_names = self.base.model.posix_names
        return manifest_text(self.base.volume, steps, commits, posix_names=posix_names)

    def advice(self, steps: Sequence[Step], commits: Sequence[int]) -> str:
        """How to keep what failed."""
        place = FOUND / f"{self.base.kind}.WHAT.yaml"
        return f"Keep this as {place}:\n\n{self.text(steps, [n for n in commits if n < len(steps)])}"
