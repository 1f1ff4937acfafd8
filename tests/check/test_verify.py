"""verify as a user has it: words, JSON, exit codes; and volumes that others made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

import ntfsbuild
from ntfsbuild import builder
from ntfsbuild.builder.verifying import verify
from ntfsbuild.checks.findings import Findings
from ntfsbuild.checks.rules import RULES
from ntfsbuild.errors import VolumeError
from tests.check import base, matrix_files, matrix_records, matrix_volume
from tests.check.mutating import Image
from tests.cli.conftest import Run, _folder, _run  # noqa: F401  Fixtures.
from tests.command import ROOT
from tests.foreign.real_volumes import VOLUMES, unpacked
from tests.images import MANIFESTS
from tests.oracle import menagerie, specimen

MIB = 1 << 20
SCHEMA = json.loads((ROOT / "schemas/verify.schema.json").read_text(encoding="utf-8"))


def lines_of(path: Path) -> list[str]:
    return [
        f"{one.rule} {one.path} {one.attribute}: {one.expected}, {one.found}" for one in verify(path).findings
    ]


# ---- sound volumes


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_ours_are_sound(manifest: Path, tmp_path: Path) -> None:
    image = tmp_path / "ours.img"
    builder.build(manifest, image)
    assert lines_of(image) == []


@pytest.mark.parametrize("name", VOLUMES)
def test_real_volumes_are_sound(name: str, volumes: Path) -> None:
    assert lines_of(unpacked(volumes / name)) == []


@pytest.mark.needs(*menagerie.TOOLS)
@pytest.mark.parametrize("cluster", [512, 1024, 4096, 8192, 65536])
def test_what_ntfs3g_fills_is_sound(cluster: int, tmp_path: Path) -> None:
    image = tmp_path / "others.img"
    menagerie.make(image, size=64 * MIB, cluster=cluster)
    assert lines_of(image) == []


@pytest.mark.needs(*menagerie.TOOLS)
def test_what_wimlib_applies_is_sound(tmp_path: Path) -> None:
    source, image = tmp_path / "source.img", tmp_path / "applied.img"
    menagerie.make(source, size=32 * MIB, devices=False)
    menagerie.apply_wim(source, image, size=32 * MIB)
    assert lines_of(image) == []


@pytest.mark.needs(*menagerie.TOOLS)
def test_scattered_volumes_are_sound(tmp_path: Path) -> None:
    mft, files = tmp_path / "mft.img", tmp_path / "files.img"
    menagerie.scatter_mft(mft, size=8 * MIB)
    menagerie.scatter_files(files, {"one": b"1" * 820_001}, size=8 * MIB)
    assert lines_of(mft) == lines_of(files) == []


@pytest.mark.needs(*specimen.TOOLS)
@pytest.mark.parametrize("sector", [256, 512, 1024, 2048, 4096])
@pytest.mark.parametrize("cluster", [4096, 65536, 1 << 18])
def test_what_mkntfs_formats_is_sound(sector: int, cluster: int, tmp_path: Path) -> None:
    image = tmp_path / "formatted.img"
    specimen.make(image, {}, size=(16 if cluster < 1 << 18 else 256) * MIB, sector=sector, cluster=cluster)
    assert lines_of(image) == []


@pytest.mark.needs(*specimen.TOOLS)
def test_what_ntfs3_writes_is_sound(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from tests.conftest import leave_out
    from tests.oracle import ntfs3_vm
    from tests.oracle.tools import missing

    leave_out(request.config, missing(ntfs3_vm.TOOLS), skip=True)
    image = tmp_path / "ntfs3.img"
    specimen.make(image, {}, size=32 * MIB)
    ntfs3_vm.change([(image, menagerie.changes_for_ntfs3())])
    assert lines_of(image) == []


# ---- what is said


@pytest.fixture(name="broken")
def _broken(tmp_path: Path) -> Path:
    """A volume with an error and a warning."""
    data, numbers = base.build(tmp_path)
    image = Image(data, numbers)
    matrix_records.MATRIX["R20"](image)
    matrix_volume.MATRIX["Y20"](image)
    path = tmp_path / "broken.img"
    path.write_bytes(image.data)
    return path


def test_words(broken: Path, run: Run) -> None:
    done = run("verify", broken)
    assert done.returncode == 1
    first, meaning, second, _, last = done.stdout.splitlines()
    assert first == (
        "error R20: record 51 /plain.txt at 0x12: The link count is the number of names: expected 1, found 2"
    )
    assert meaning.strip() == RULES["R20"].meaning
    assert second.startswith("warning Y20: record 4 /$AttrDef $DATA: ")
    assert last.startswith(f"{broken}: 1 error, 1 warning (")
    assert run("verify", "-q", broken).returncode == 1


def test_json_fits_its_schema(broken: Path, run: Run) -> None:
    done = run("verify", "--json", broken)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    jsonschema.validate(data, SCHEMA)
    assert (data["errors"], data["warnings"], data["clean"]) == (1, 1, False)
    assert [one["rule"] for one in data["findings"]] == ["R20", "Y20"]
    sound = run("verify", "--json", broken.parent / "matrix.img")
    assert sound.returncode == 0
    jsonschema.validate(json.loads(sound.stdout), SCHEMA)
    assert json.loads(run("schema", "verify").stdout) == SCHEMA


def test_every_property_is_described() -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                assert value.get("description"), name
            for value in node.values():
                walk(value)

    walk(SCHEMA)


def test_clean_and_notes_are_exit_0(broken: Path, run: Run) -> None:
    sound = broken.parent / "matrix.img"
    done = run("verify", sound)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert run("verify", "-q", sound).stdout == ""
    longer = broken.parent / "longer.img"
    longer.write_bytes(sound.read_bytes() + bytes(4096))
    done = run("verify", longer)
    assert done.returncode == 0 and done.stdout.startswith("note B10: the volume at 0x28: ")


def test_unreadable_is_exit_3(tmp_path: Path, run: Run) -> None:
    for content in (b"", bytes(1 << 20), b"NTFS" * 1000):
        (tmp_path / "junk.img").write_bytes(content)
        done = run("verify", tmp_path / "junk.img")
        assert done.returncode == 3 and done.stderr.startswith("ntfsbuild: ")
        assert run("verify", "--offset", "0", tmp_path / "junk.img").returncode == 3
    assert run("verify", tmp_path / "none.img").returncode == 4


def test_a_volume_without_its_first_sector(broken: Path, run: Run) -> None:
    data = bytearray((broken.parent / "matrix.img").read_bytes())
    data[:512] = bytes(512)
    broken.write_bytes(data)
    done = run("verify", broken)
    assert done.returncode == 1 and "error B19" in done.stdout


def test_partitions(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    builder.build(ROOT / "specs/images/4kn-partition.yaml", image)
    disk = bytes(1 << 20) + image.read_bytes()
    image.write_bytes(disk)
    assert not verify(image, offset=1 << 20).findings


def test_an_image_is_only_read(broken: Path) -> None:
    before = broken.read_bytes()
    verify(broken)
    assert broken.read_bytes() == before


def test_many_findings_are_counted() -> None:
    findings = Findings()
    for number in range(1000):
        findings.add("R20", number, 1, 2)
    assert len(findings.kept) == 100 and findings.counts["R20"] == 1000


def test_other_checkers_overlook_these() -> None:
    """What the project promises to find beyond them."""
    matrix = matrix_volume.MATRIX | matrix_records.MATRIX | matrix_files.MATRIX
    assert {"R20", "S12", "R16", "R12", "A23", "Y26"} <= set(matrix)


# ---- build --verify, apply --verify


def test_verifying_is_no_change(tmp_path: Path, run: Run) -> None:
    manifest = ROOT / "specs/images/quickstart.yaml"
    plain, verified = tmp_path / "plain.img", tmp_path / "verified.img"
    assert run("build", manifest, "-o", plain).returncode == 0
    assert run("build", "--verify", manifest, "-o", verified).returncode == 0
    assert plain.read_bytes() == verified.read_bytes()


def test_a_base_that_is_damaged_is_left_alone(broken: Path, run: Run) -> None:
    data = bytearray(broken.read_bytes())
    sound = broken.parent / "matrix.img"
    numbers = base.build(broken.parent)[1]
    image = Image(sound.read_bytes(), numbers)
    matrix_records.MATRIX["R20"](image)
    broken.write_bytes(image.data)
    (broken.parent / "add.yaml").write_text("ntfsbuild: 1\ntree: {new.txt: new}\n")
    before = broken.read_bytes()
    assert data != before
    done = run("apply", "--verify", broken.parent / "add.yaml", broken)
    assert done.returncode == 3 and "R20" in done.stderr
    assert broken.read_bytes() == before
    assert sorted(broken.parent.glob("*.img*")) == sorted([broken, sound])
    assert run("apply", broken.parent / "add.yaml", broken).returncode == 0
    assert run("apply", "--verify", broken.parent / "add.yaml", sound).returncode == 0


def test_a_damaged_base_builds_nothing(broken: Path) -> None:
    numbers = base.build(broken.parent)[1]
    image = Image((broken.parent / "matrix.img").read_bytes(), numbers)
    matrix_records.MATRIX["R20"](image)
    broken.write_bytes(image.data)
    manifest = broken.parent / "on.yaml"
    manifest.write_text("ntfsbuild: 1\nvolume: {base: ./broken.img}\ntree: {new.txt: new}\n")
    out = broken.parent / "out.img"
    shutil.copy(ROOT / "README.md", out)
    before = out.read_bytes()
    with pytest.raises(VolumeError, match="R20"):
        ntfsbuild.build(manifest, out, verify=True)
    assert out.read_bytes() == before


def test_in_place_is_refused_first(broken: Path, run: Run) -> None:
    (broken.parent / "add.yaml").write_text("ntfsbuild: 1\ntree: {new.txt: new}\n")
    done = run("apply", "--verify", "--in-place", broken.parent / "add.yaml", broken)
    assert done.returncode == 2 and "--in-place" in done.stderr
