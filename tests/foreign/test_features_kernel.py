"""What `getfattr` shows of features where Linux' own driver, ntfs3, has the volume mounted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from tests.foreign.features import FEATURES, lay
from tests.foreign.values import ea_list
from tests.oracle import ntfs3_vm, specimen
from tests.oracle.features import TOOLS, shown

pytestmark = pytest.mark.needs("ntfs3", *TOOLS, *specimen.TOOLS)

# ntfs-3g has a bit for a file without any; which one says that something is a directory differs.
NORMAL, DIRECTORY = 0x80, 0x10000010
SPARSE = 0x200
SPARSE_IN_A_NAMED_STREAM = {("streams", "forms.bin")}  # ntfs3 shows the bit of the main stream only.


@pytest.mark.parametrize("maker", ["ntfsbuild", "Windows"])
def test_two_drivers_show_the_same(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    """Attributes, descriptors and EAs of all files; what ntfs-3g shows is held to the manifests elsewhere."""
    volumes = request.getfixturevalue("volumes") if maker == "Windows" else tmp_path
    images = [lay(one, tmp_path / f"{one}.img", maker, volumes) for one in FEATURES]
    faults = []
    for feature, image, found in zip(FEATURES, images, ntfs3_vm.values(images), strict=True):
        others = shown(image, found)
        assert found
        for path, one in found.items():
            other, eas = others[path].values, dict(one.values)
            attributes = int.from_bytes(eas.pop("system.ntfs_attrib"), "little")
            if (feature, path) in SPARSE_IN_A_NAMED_STREAM:
                assert not attributes & SPARSE
                attributes |= SPARSE
            eas.pop("system.dos_attrib")
            faults += [
                f"{feature}: {path}: {what}"
                for what, same in {
                    "attributes": not (attributes ^ int.from_bytes(other["attrib"], "little"))
                    & ~(NORMAL | DIRECTORY),
                    "descriptor": eas.pop("system.ntfs_security") == other["acl"],
                    "EAs": eas == {key: value for key, (_, value) in ea_list(other.get("ea", b"")).items()},
                }.items()
                if not same
            ]
    assert not faults, "\n".join(faults)


def test_the_kernel_takes_owners_and_modes_for_what_they_are(tmp_path: Path) -> None:
    image = lay("ea", tmp_path / "ea.img", "ntfsbuild", tmp_path)
    [found] = ntfs3_vm.values([image])
    assert (found["home"].mode, found["home"].owner) == (stat.S_IFDIR | 0o700, (1000, 1000))
    assert (found["both.sh"].mode, found["both.sh"].owner) == (stat.S_IFREG | 0o4755, (0, 0))
    assert (found["run.sh"].mode, found["run.sh"].owner) == (stat.S_IFREG | 0o755, (1000, 100))
    assert stat.S_ISBLK(found["sda"].mode) and found["sda"].owner == (0, 6)
    assert found["large.txt"].values["big"] == b"Z" * 3000
    assert found["note.txt"].values["wide"] == "hi".encode("utf-16-le")
