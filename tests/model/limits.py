"""What readers do not manage that the oracle cannot know from a geometry and a list of paths.

Each was found by a history, and looked into: others make volumes that these readers do not manage, either.
"""

from __future__ import annotations

from pathlib import Path

from ntfsbuild.ondisk.attribute import INDEX_ALLOCATION
from ntfsbuild.ondisk.file_record import ROOT
from ntfsbuild.volume.opening import Volume
from tests.model.model import SPARSE, Model, Node, units
from tests.model.steps import ATTRIBUTES
from tests.oracle import Geometry

GRUB = ("GRUB",)
FLS = ("fls",)
NTFS_3G = ("ntfs-3g",)
THE_SLEUTH_KIT = ("pytsk3", "fls", "pytsk3, streams")
LIBFSNTFS = ("libfsntfs", "libfsntfs, streams")

SYSTEM = ATTRIBUTES["system"]
SHORT_NAME_UNITS = 124
FEW_ATTRIBUTES = 250


def manage_not(image: Path, model: Model) -> set[str]:
    """The readers that do not manage what is on this volume."""
    geometry, nodes = Geometry.of(image), [node for _, node in model.walk()]
    lists, has_scattered_blocks = _inside(image, model, geometry)
    limits = (
        # Neither a file with an $ATTRIBUTE_LIST, nor what lies behind a hole.
        (GRUB, lists or any(node.attributes & SPARSE for node in nodes)),
        # It takes the smallest of system files for FIFOs and sockets, as Interix has them.
        (NTFS_3G, any(node.attributes & SYSTEM and len(node.streams.get("", b"xx")) < 2 for node in nodes)),
        # It lists the named streams of directories as files of their own.
        (FLS, any(node.is_directory and node.streams for node in nodes)),
        # They tell 256 attributes of a file apart, take `$I30` for an index whatever it is, and, where a
        # cluster holds several index blocks, for slack what has a second name in the same directory.
        (THE_SLEUTH_KIT, any(len(node.streams) + len(node.names) > FEW_ATTRIBUTES for node in lists)),
        (THE_SLEUTH_KIT, any("$I30" in node.streams for node in nodes)),
        (THE_SLEUTH_KIT, geometry.cluster > geometry.index_block and any(map(_is_twice_in_one, nodes))),
        # It reads an entry of a list into 256 bytes, and an index block from one run of clusters.
        (LIBFSNTFS, any(len(units(name)) > SHORT_NAME_UNITS for node in lists for name in node.streams)),
        (LIBFSNTFS, has_scattered_blocks),
    )
    return {name for names, is_over in limits if is_over for name in names}


def _inside(image: Path, model: Model, geometry: Geometry) -> tuple[list[Node], bool]:
    """What has an $ATTRIBUTE_LIST, and whether some index block lies in several runs."""
    with Volume.open(image, "r+") as volume:
        nodes = {item.record: model.find(path) for path, item in volume.walk()} | {ROOT: model.root}
        states = {number: volume._transaction.state(number) for number in nodes}
    lists = [node for number, node in nodes.items() if node and states[number].extensions]
    indexes = [state.find(INDEX_ALLOCATION, "$I30") for state in states.values()]
    sizes = [count * geometry.cluster for index in indexes if index for _, count in index.runs]
    small = geometry.cluster < geometry.index_block
    return lists, small and any(size % geometry.index_block for size in sizes)


def _is_twice_in_one(node: Node) -> bool:
    """Whether it has two names in one directory."""
    directories = [id(above) for above, _ in node.names]
    return len(set(directories)) < len(directories)
