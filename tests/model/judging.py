"""What foreign readers say: the quick ones of each image at once, the others of all at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ntfsbuild.ondisk.attribute import INDEX_ALLOCATION
from ntfsbuild.ondisk.file_record import ROOT
from ntfsbuild.volume.volume import Volume
from tests.model import named_streams
from tests.model.bases import Base
from tests.model.comparing import expected
from tests.model.model import SPARSE, Model, Node, units
from tests.oracle import Geometry, Reader, Tree, judge_all
from tests.oracle.judge import examine, verdict

# What readers do not manage that the oracle has no way to know of.
# GRUB reads neither files with a list nor what lies behind a hole, of ntfs-3g's making neither.
READS_NO_LISTS = READS_NO_HOLES = ("GRUB",)
LISTS_STREAMS_OF_DIRECTORIES = ("fls",)  # As files of their own.
READS_SHORT_NAMES_IN_LISTS = ("libfsntfs", "libfsntfs, streams")  # Into a buffer of 256 bytes.
READS_WHOLE_INDEX_BLOCKS = READS_SHORT_NAMES_IN_LISTS  # That lie in one run of clusters each.
SHORT_NAME_UNITS = 124
NUMBERS_FEW = HIDES_INDEX_NAMES = ("pytsk3, streams",)  # It tells 256 attributes of a file apart.
INDEX_NAME = "$I30"
FEW_ATTRIBUTES = 250
# Where a cluster holds several index blocks, what has a second name in the directory is taken for slack.
TAKES_LINKS_FOR_SLACK = ("pytsk3", "fls", "pytsk3, streams")


class Judge:
    """The readers that are asked of histories on one base: those that see nothing wrong with the base."""

    def __init__(self, base: Base, readers: Iterable[Reader]) -> None:
        everyone = list(readers)
        self.slow = [reader for reader in everyone if reader.read_many]
        self.quick: list[Reader] = []
        trees = expected(base.model), named_streams.expected_streams(base.model)
        for reader in [*everyone, *named_streams.READERS]:
            if not reader.read_many and not _faults(reader, base.image, *trees):
                self.quick.append(reader)

    def now(self, image: Path, model: Model) -> None:
        """Let the quick readers judge an image that nobody has open."""
        left_out = manage_not(image, model)
        asked = [reader for reader in self.quick if reader.name not in left_out]
        trees = expected(model), named_streams.expected_streams(model)
        faults = [fault for reader in asked for fault in _faults(reader, image, *trees)]
        assert not faults, "\n".join(["the foreign readers find fault:", *faults])

    def together(self, cases: Sequence[tuple[Path, Model]]) -> None:
        """Let the slow readers judge many images in one go."""
        judge_all([(image, expected(model)) for image, model in cases], self.slow)


def _faults(reader: Reader, image: Path, tree: Tree, streams: Tree) -> list[str]:
    if reader.refuses(Geometry.of(image), tree) is not None:
        return []
    return verdict(reader, examine(reader, image), streams if reader in named_streams.READERS else tree)


def manage_not(image: Path, model: Model) -> tuple[str, ...]:
    """The readers that do not manage what is on this volume."""
    geometry, nodes = Geometry.of(image), [node for _, node in model.walk()]
    lists, in_pieces = _inside(image, model, geometry)
    left_out: tuple[str, ...] = ()
    if lists:
        left_out += READS_NO_LISTS
    if any(len(units(name)) > SHORT_NAME_UNITS for node in lists for name in node.streams):
        left_out += READS_SHORT_NAMES_IN_LISTS
    if any(len(node.streams) + len(node.names) > FEW_ATTRIBUTES for node in lists):
        left_out += NUMBERS_FEW
    if in_pieces:
        left_out += READS_WHOLE_INDEX_BLOCKS
    if any(node.attributes & SPARSE for node in nodes):
        left_out += READS_NO_HOLES
    if any(INDEX_NAME in node.streams for node in nodes):
        left_out += HIDES_INDEX_NAMES
    if any(node.is_directory and node.streams for node in nodes):
        left_out += LISTS_STREAMS_OF_DIRECTORIES
    if geometry.cluster > geometry.index_block and any(map(has_two_names_together, nodes)):
        left_out += TAKES_LINKS_FOR_SLACK
    return left_out


def _inside(image: Path, model: Model, geometry: Geometry) -> tuple[list[Node], bool]:
    """What has an $ATTRIBUTE_LIST, and whether some index block is in several runs."""
    with Volume.open(image, "r+") as volume:
        nodes = {item.record: model.find(path) for path, item in volume.walk()} | {ROOT: model.root}
        states = {number: volume.state(number) for number in nodes}
    lists = [node for number, node in nodes.items() if node and states[number].extensions]
    blocks = [state.find(INDEX_ALLOCATION, "$I30") for state in states.values()]
    runs = [count * geometry.cluster for one in blocks if one for _, count in one.runs]
    return lists, any(size % geometry.index_block for size in runs if geometry.cluster < geometry.index_block)


def has_two_names_together(node: Node) -> bool:
    directories = [id(above) for above, _ in node.names]
    return len(set(directories)) < len(directories)
