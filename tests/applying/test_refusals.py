"""What must not be changed is refused, and it is said why: nothing is touched, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ntfsbuild.cli import main
from tests.applying import damages
from tests.applying.bases import base, parameters
from tests.applying.bench import MODES
from tests.applying.contents import write_change, write_manifest
from tests.applying.damages import CLEAN, NOBODY, Patient, log_of, restart_page
from tests.applying.reading import contents

BARE = parameters(["ours-4096", "mkntfs-512"])
HOW = {"copy": [], "output": ["-o", "other.img"], "in place": ["--in-place"]}


class Damage(NamedTuple):
    """What is done to a volume, and what is said of it."""

    name: str
    do: Callable[[Patient], None]
    said: str

    def __str__(self) -> str:
        return self.name


UNFINISHED = "the volume was not dismounted: its $LogFile is to be replayed first"
CLEAN_PAGE = restart_page(100, 0, CLEAN)
TORN_PAGE = CLEAN_PAGE[:510] + b"\xee\xee" + CLEAN_PAGE[512:]
FREE = "$Bitmap has clusters free that a file has"

DAMAGES = [
    Damage("unknown version", damages.unknown_version, "NTFS 4.0 is not a version that can be changed"),
    Damage("hibernated", damages.hibernate, "Windows is hibernated on this volume"),
    Damage("log to be replayed", log_of(restart_page(100, 0, 0), restart_page(100, 0, 0)), UNFINISHED),
    Damage("later page counts", log_of(CLEAN_PAGE, restart_page(101, 0, 0)), UNFINISHED),
    Damage("earlier page counts", log_of(restart_page(101, 0, 1), CLEAN_PAGE), UNFINISHED),
    Damage("torn log", log_of(TORN_PAGE), "$LogFile at 0x0: torn write"),
    Damage("log of zeros", log_of(bytes(2 * damages.PAGE)), "$LogFile has no restart page"),
    Damage("torn $Volume", damages.tear_record("/$Volume"), "record 3: torn write"),
    Damage("torn root", damages.tear_record("/"), "record 5: torn write"),
    Damage("torn directory", damages.tear_record("/few"), "torn write"),
    Damage("torn file", damages.tear_record("/large.bin"), "torn write"),
    Damage("torn file below what goes", damages.tear_record("/old/b/c.txt"), "torn write"),
    Damage("freed file", damages.free_record("/log.txt"), "it is no record in use, and $MFT's $BITMAP marks"),
    Damage("index block", damages.damage_index_block, "$I30: the block at VCN 0: torn write"),
    Damage("$Bitmap, removed", damages.free_clusters_of("/old.bin"), FREE),
    Damage("$Bitmap, cut", damages.free_clusters_of("/long.bin"), FREE),
    Damage("$Bitmap, written to", damages.free_clusters_of("/large.bin"), FREE),
    Damage("run behind the end", damages.lead_astray("/large.bin"), "a run ends at cluster"),
    Damage("bitmap of $MFT", damages.free_in_mft_bitmap, "it is in use, and free in $MFT's $BITMAP"),
    Damage("cut off", damages.cut_off, "the image ends "),
    Damage("no boot sector", damages.overwrite_boot_sector, "no NTFS volume"),
]


class Case:
    """A folder with an image and the change of it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.image = folder / "disk.img"
        self.image.write_bytes(base(kind).data)
        self.manifest = write_change(folder)
        self.patient = Patient(self.image)

    def apply(self, mode: str, *more: str) -> int:
        """The exit code."""
        how = [str(self.folder / word) if word.endswith(".img") else word for word in HOW[mode]]
        return main(["apply", str(self.manifest), str(self.image), *how, *more])

    def refused(self, capsys: pytest.CaptureFixture[str], mode: str, *more: str) -> str:
        """What is said; no byte of the image has changed, not even of its free room."""
        before, names = self.image.read_bytes(), sorted(self.folder.iterdir())
        capsys.readouterr()
        assert self.apply(mode, *more) == 3
        output = capsys.readouterr()
        assert output.out == ""
        assert sorted(self.folder.iterdir()) == names
        assert self.image.read_bytes() == before
        assert output.err.startswith(f"ntfsbuild: {self.image}: ")
        return output.err


@pytest.fixture(name="case", params=BARE)
def _case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return Case(tmp_path, request.param)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_damage_is_refused(case: Case, damage: Damage, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage.do(case.patient)
    for more in ([], ["--force"]):
        assert damage.said in case.refused(capsys, mode, *more)


@pytest.mark.parametrize("mode", MODES)
def test_a_dirty_volume_is_refused_unless_forced(
    case: Case, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damages.mark_dirty(case.patient)
    assert "the volume is marked dirty" in case.refused(capsys, mode)
    assert case.apply(mode, "--force") == 0
    changed = case.folder / "other.img" if mode == "output" else case.image
    assert damages.is_dirty(Patient(changed)), "whatever made it dirty was not looked into"
    assert "/made" in contents(changed)


@pytest.mark.parametrize("client", [0, NOBODY])
@pytest.mark.parametrize("flags", [0, CLEAN])
def test_a_finished_log_is_no_obstacle(case: Case, client: int, flags: int) -> None:
    if (client, flags) == (0, 0):
        return
    log_of(restart_page(100, client, flags), restart_page(99, 0, 0))(case.patient)
    assert case.apply("in place") == 0


@pytest.mark.parametrize("begin", ["wake", "\0" * 4])
def test_a_file_of_that_name_does_not_hibernate(case: Case, begin: str) -> None:
    case.patient.put(**{"hiberfil.sys": {"text": begin + "\0" * 8188}})
    assert case.apply("in place") == 0


# ---- no room


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", [0, 300_000])
def test_no_room_says_how_much_is_missing(
    case: Case, mode: str, first: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster_bytes = case.patient.cluster_bytes
    free = damages.free_bytes(case.patient)
    tree = {"a.bin": {"size": first, "fill": "random"}, "b.bin": {"size": 20_000_000}}
    case.manifest = write_manifest(case.folder / "change.yaml", tree=tree)
    needed = sum(-(-size // cluster_bytes) * cluster_bytes for size in (first, 20_000_000))
    said = case.refused(capsys, mode)
    assert f"the volume is full: {needed - free} bytes are missing" in said


@pytest.mark.parametrize("mode", MODES)
def test_no_room_for_what_the_commit_needs(case: Case, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All data fit; the records of many small files do not."""
    size = damages.free_bytes(case.patient) - 8 * case.patient.cluster_bytes
    tree = {"a.bin": {"size": size}, "small/": {f"{number:03}": "x" for number in range(200)}}
    case.manifest = write_manifest(case.folder / "change.yaml", tree=tree)
    assert "bytes are missing" in case.refused(capsys, mode)


# ---- what the manifest asks for and cannot have


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_cannot_be_taken(case: Case, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    before, names = case.image.read_bytes(), sorted(case.folder.iterdir())
    steps = [{"rename": "kept.txt", "to": "moved.txt"}, {"delete": "few"}]
    case.manifest = write_manifest(case.folder / "change.yaml", steps=steps)
    assert case.apply(mode) == 2
    assert "steps[1]: /few: the directory is not empty" in capsys.readouterr().err
    assert (case.image.read_bytes(), sorted(case.folder.iterdir())) == (before, names)
