"""The reference images of features: readers agree on what they hold, checkers have no complaint.

Beside the fresh volumes, the same trees are laid over a volume of mkntfs and one of Windows, twice: the
second time nothing is left to do.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from tests.foreign.comparing import comparable
from tests.foreign.features import FEATURES, MAKERS, lay
from tests.oracle import Geometry, Reader, Tree, accounting, specimen
from tests.oracle.judge import examine, verdict

pytestmark = pytest.mark.needs(*specimen.TOOLS)

# Which readers do not manage what, and how one knows: the same was tried on volumes of mkntfs and ntfs-3g.
NOT_ASKED = {
    ("streams", "GRUB"): "takes any $DATA of an attribute list for the content",
    ("everything", "GRUB"): "takes any $DATA of an attribute list for the content",
    ("sparse", "GRUB"): "reads no holes",
    ("special", "dissect.ntfs"): "shows what lies behind the valid data",
    ("everything", "dissect.ntfs"): "shows what lies behind the valid data",
    ("encrypted", "wimlib"): "leaves encrypted files out, with a warning",
    ("everything", "wimlib"): "leaves encrypted files out, with a warning",
    ("encrypted", "ntfs-3g"): "reads no encrypted files; see `test_features_encrypted`",
    ("everything", "ntfs-3g"): "reads no encrypted files; see `test_features_encrypted`",
    ("reparse", "GRUB"): "does not show reparse points",
    ("ea", "GRUB"): "does not show reparse points",
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("feature", FEATURES)
def test_readers_agree(
    tmp_path: Path, request: pytest.FixtureRequest, readers: list[Reader], feature: str, maker: str
) -> None:
    volumes = request.getfixturevalue("volumes") if maker == "Windows" else tmp_path
    image = lay(feature, tmp_path / f"{feature}.img", maker, volumes)
    faults = [f"accounting: {fault}" for fault in accounting.faults(image)][:5]
    asked = [one for one in readers if not one.read_many and (feature, one.name) not in NOT_ASKED]
    # The Sleuth Kit wants no run longer than the volume, a hole neither; this one is small.
    left_out = ("GRUB", "partclone", *(("pytsk3", "fls") if feature == "sparse" else ()))
    left_out = left_out if maker == "Windows" else ()
    geometry, reference = Geometry.of(image), None
    for reader in asked:
        if reader.refuses(geometry, reference or {}) is not None or reader.name in left_out:
            continue
        reading = comparable(reader, examine(reader, image))
        if reading.entries is not None and reference is None:
            reference = reading.entries
        faults += verdict(reader, reading, reference or {})
    assert reference
    assert not faults, "\n".join(faults)


@pytest.mark.needs("ntfs3")
def test_the_kernel_reads_them(tmp_path: Path, readers: list[Reader]) -> None:
    """In one boot: the same entries as ntfs-3g has, and nothing that the kernel logs."""
    kernel = next(one for one in readers if one.read_many)
    other = next(one for one in readers if one.name == "pytsk3")
    features = [one for one in FEATURES if one not in ("encrypted", "everything")]
    images = [lay(one, tmp_path / f"{one}.img", "ntfsbuild", tmp_path) for one in features]
    assert kernel.read_many
    faults = []
    for feature, image, reading in zip(features, images, kernel.read_many(images), strict=True):
        # It follows no mount point of a volume by its GUID, and says so where one asks where it leads.
        reading.complaints = [one for one in reading.complaints if "read: '/volume': EINVAL" not in one]
        reference: Tree = comparable(other, examine(other, image)).entries or {}
        found = comparable(kernel, reading)
        found.entries = {path: one for path, one in (found.entries or {}).items() if path in reference}
        faults += [f"{feature}: {fault}" for fault in verdict(kernel, found, reference)]
    assert not faults, "\n".join(faults)
