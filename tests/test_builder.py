"""The Python API: what is documented works, and `check` accepts exactly what `build` builds."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import HostError, ManifestError
from tests.images import FOLDER, build_digest, digest_of


def test_build_and_read(tmp_path: Path) -> None:
    (tmp_path / "disk.yaml").write_text('ntfsbuild: 1\ntree: {hello.txt: "hi", d/: {}}\n')
    result = ntfsbuild.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    assert result.path == str(tmp_path / "disk.img")
    assert result.size_bytes == (tmp_path / "disk.img").stat().st_size
    assert (result.files, result.directories) == (1, 1)
    with ntfsbuild.Volume.open(tmp_path / "disk.img") as volume:
        assert volume.read("/hello.txt") == b"hi"
        assert volume.resolve("/HELLO.txt") == "/hello.txt"


def test_everything_that_is_offered_is_there() -> None:
    for module in pkgutil.walk_packages(ntfsbuild.__path__, "ntfsbuild."):
        importlib.import_module(module.name)  # A package of the same name would take its place.
    for name in ntfsbuild.__all__:
        assert not inspect.ismodule(getattr(ntfsbuild, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ntfsbuild.nothing  # noqa: B018


def test_a_kept_plan_gives_the_same_image(tmp_path: Path) -> None:
    copy = tmp_path / "images"
    shutil.copytree(FOLDER, copy)
    manifest = copy / "sources.yaml"
    expected = build_digest(manifest, tmp_path / "one.img")
    plan = ntfsbuild.make_plan(ntfsbuild.load(manifest), pin_sources=True)
    (copy / "plan.jsonl").write_text("".join(ntfsbuild.save_plan(plan, copy)))

    ntfsbuild.execute(ntfsbuild.load_plan(copy / "plan.jsonl"), tmp_path / "two.img")

    assert digest_of(tmp_path / "two.img") == expected
    (copy / "files" / "logo.gif").write_bytes(b"GIF87a")
    with pytest.raises(ManifestError, match=r"logo\.gif: its SHA-256 is"):
        ntfsbuild.execute(ntfsbuild.load_plan(copy / "plan.jsonl"), tmp_path / "two.img")


def test_a_plan_is_made_of_a_path_or_of_a_loaded_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "disk.yaml"
    manifest.write_text("ntfsbuild: 1\ntree: {a: hi}\n")
    loaded = ntfsbuild.load(manifest)
    made = [list(ntfsbuild.make_plan(one).operations) for one in (loaded, manifest, str(manifest))]
    assert made[0] == made[1] == made[2] != []


BAD = {
    "a volume that is too small": "volume: {size: 1MiB}\ntree: {a: {size: 2MiB, fill: random}}",
    "a size that is no whole sectors": "volume: {size: 1000001}",
    "too many clusters": "volume: {size: 17TiB}",
    "a name of NTFS": "tree: {$MFT: hi}",
    "a wrong digest": f"tree: {{a: {{source: a.txt, sha256: {'0' * 64}}}}}",
    "a wrong digest of a fill": f"tree: {{a: {{size: 1MB, sha256: {'0' * 64}}}}}",
    "a missing source": "tree: {a: {source: b.txt}}",
    "data past the end": "tree: {a: {size: 1, data: [{at: 0, source: a.txt}]}}",
    "names equal but for case": 'tree: {a: "", A: ""}',
}


@pytest.mark.parametrize("what", BAD)
def test_check_refuses_what_build_refuses(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.txt").write_text("content")
    (tmp_path / "disk.yaml").write_text(f"ntfsbuild: 1\n{BAD[what]}\n")
    messages = []
    for attempt in (
        lambda: ntfsbuild.check(tmp_path / "disk.yaml"),
        lambda: ntfsbuild.build(tmp_path / "disk.yaml", tmp_path / "disk.img"),
    ):
        with pytest.raises(ManifestError, match=r"disk\.yaml:\d+:\d+: ") as caught:
            attempt()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "disk.yaml"]


def test_check_accepts_what_build_builds(tmp_path: Path) -> None:
    for manifest in sorted(FOLDER.glob("*.yaml")):
        assert ntfsbuild.check(manifest).files >= 0
    assert list(tmp_path.iterdir()) == []


def test_an_image_is_not_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "disk.yaml").write_text("ntfsbuild: 1\ntree: {.: {source: .}}\n")
    ntfsbuild.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    with pytest.raises(ManifestError, match=r"disk\.img is the output itself"):
        ntfsbuild.build(tmp_path / "disk.yaml", tmp_path / "disk.img")


@pytest.mark.parametrize("place", ["nothing.img", "."])
def test_images_that_cannot_be_opened(tmp_path: Path, place: str) -> None:
    with pytest.raises(HostError):
        ntfsbuild.Volume.open(tmp_path / place)


def test_two_builds_at_once_are_both_whole(tmp_path: Path) -> None:
    """One build inside another's: the progress of the first starts the second."""
    (tmp_path / "disk.yaml").write_text("ntfsbuild: 1\ntree: {a: {size: 1MB, fill: random}}\n")
    (tmp_path / "other.yaml").write_text("ntfsbuild: 1\ntree: {b: other}\n")

    def interfere(_: ntfsbuild.Progress) -> None:
        ntfsbuild.build(tmp_path / "other.yaml", tmp_path / "disk.img")

    ntfsbuild.build(tmp_path / "disk.yaml", tmp_path / "disk.img", progress=interfere)
    with ntfsbuild.Volume.open(tmp_path / "disk.img") as volume:
        assert [item.name for item in volume.listdir()] == ["a"]


def test_any_number_of_jobs_gives_the_same_image(tmp_path: Path) -> None:
    pieces = [f"{{at: {at}, size: 5000, fill: random, seed: {at}}}" for at in range(0, 3_000_000, 9000)]
    large = f"{{size: {3 << 20}, data: [{', '.join(pieces)}]}}"
    text = f"ntfsbuild: 1\ntree: {{.: {{compressed: true}}, a: {large}, b: {{size: 900KiB, fill: random}}}}\n"
    (tmp_path / "a.yaml").write_text(text)
    images = []
    for jobs in (1, 3):
        ntfsbuild.build(tmp_path / "a.yaml", tmp_path / "a.img", jobs=jobs)
        images.append((tmp_path / "a.img").read_bytes())
    assert images[0] == images[1]
