"""What foreign readers say: the quick ones of each image at once, the others of all at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.model import named_streams
from tests.model.bases import Base
from tests.model.comparing import expected
from tests.model.limits import manage_not
from tests.model.model import Model
from tests.oracle import Geometry, Reader, Reading, Tree, accounting, judge_all
from tests.oracle.judge import examine, verdict
from tests.oracle.tools import missing

FOREIGN = "the foreign readers find fault:"
BOOKS = Reader("books", (), lambda image: Reading(complaints=accounting.faults(image)))


class Judge:
    """The readers that are asked of histories on one base: those that see nothing wrong with the base."""

    def __init__(self, base: Base, readers: Iterable[Reader]) -> None:
        everyone = [*readers, *(one for one in named_streams.READERS if not missing(one.tools)), BOOKS]
        trees = expected(base.model), named_streams.expected_streams(base.model)
        self.slow = [one for one in everyone if one.read_many]
        self.quick = [one for one in everyone if not one.read_many and not _faults(one, base.image, *trees)]

    def now(self, image: Path, model: Model) -> None:
        """Let the quick readers judge an image that nobody has open."""
        left_out = manage_not(image, model)
        trees = expected(model), named_streams.expected_streams(model)
        asked = [reader for reader in self.quick if reader.name not in left_out]
        faults = [fault for reader in asked for fault in _faults(reader, image, *trees)]
        assert not faults, "\n".join([FOREIGN, *faults])

    def together(self, cases: Sequence[tuple[Path, Model]]) -> None:
        """Let the slow readers judge many images in one go."""
        judge_all([(image, expected(model)) for image, model in cases], self.slow)


def _faults(reader: Reader, image: Path, tree: Tree, streams: Tree) -> list[str]:
    if reader.refuses(Geometry.of(image), tree) is not None:
        return []
    return verdict(reader, examine(reader, image), streams if reader in named_streams.READERS else tree)
