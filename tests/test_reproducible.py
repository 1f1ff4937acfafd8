"""The same manifest and sources give the same bytes, whatever else is different."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images import FOLDER, PROJECT, build_digest, digest_of

NOBODY = 65534

MANIFEST = """\
ntfsbuild: 1
volume: {size: auto+1MiB, label: SAME}
tree:
  .: {source: ./tree}
  inline.txt: "the same\\n"
  noise.bin: {size: 300KB, fill: random, seed: 3}
  archive/: {.: {source: ./release.tar.gz}}
"""

NAMES = ["b.txt", "a.txt", "Z", "ä.txt", "日本語", "\U0001f600", "sub/one", "sub/two", "sub/deep/three", "_"]


def make_sources(folder: Path, order: list[str]) -> Path:
    """The same tree, its entries made in a given order."""
    for name in order:
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(name).randbytes(len(name) * 700))
    shutil.copy(FOLDER / "files" / "release.tar.gz", folder)
    (folder / "disk.yaml").write_text(MANIFEST, encoding="utf-8")
    return folder / "disk.yaml"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    return build_digest(make_sources(folder, NAMES), folder / "disk.img")


def built_elsewhere(
    folder: Path,
    *,
    cwd: Path | None = None,
    preexec: Callable[[], None] | None = None,
    **environment: str,
) -> str:
    """The digest of an image that another process builds, as a user would."""
    folder.chmod(0o777)
    image = folder / "disk.img"
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-m", "ntfsbuild", "build", str(folder / "disk.yaml"), "-o", str(image), "-q"],
        cwd=cwd or folder,
        env={**clean, "PYTHONPATH": str(PROJECT), **environment},
        preexec_fn=preexec,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return digest_of(image)


def test_two_runs(reference: str, tmp_path: Path) -> None:
    manifest = make_sources(tmp_path, NAMES)
    assert build_digest(manifest, tmp_path / "one.img") == reference
    assert build_digest(manifest, tmp_path / "two.img") == reference


def test_an_image_that_is_replaced(reference: str, tmp_path: Path) -> None:
    manifest = make_sources(tmp_path, NAMES)
    (tmp_path / "one.img").write_bytes(b"\xd1" * 5_000_000)
    assert build_digest(manifest, tmp_path / "one.img") == reference


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_directory(reference: str, tmp_path: Path, seed: int) -> None:
    order = NAMES[:]
    random.Random(seed).shuffle(order)
    assert build_digest(make_sources(tmp_path, order), tmp_path / "disk.img") == reference


def test_the_times_of_the_sources(reference: str, tmp_path: Path) -> None:
    manifest = make_sources(tmp_path, NAMES)
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        os.utime(path, (number * 1e6, number * 1e7))
    assert build_digest(manifest, tmp_path / "disk.img") == reference


def test_the_modes_of_the_sources(reference: str, tmp_path: Path) -> None:
    manifest = make_sources(tmp_path, NAMES)
    for path in (tmp_path / "tree").rglob("*"):
        path.chmod(0o700)
    assert build_digest(manifest, tmp_path / "disk.img") == reference


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PYTHONHASHSEED", "0"),
        ("PYTHONHASHSEED", "4294967295"),
        ("TZ", "Pacific/Kiritimati"),
        ("TZ", "America/St_Johns"),
        ("LC_ALL", "C"),
        ("LC_ALL", "POSIX"),
        ("LC_ALL", "de_DE.ISO-8859-1"),
        ("LANG", "tr_TR.UTF-8"),
        ("PYTHONUTF8", "0"),
        ("COLUMNS", "20"),
    ],
)
def test_the_environment(reference: str, tmp_path: Path, key: str, value: str) -> None:
    make_sources(tmp_path, NAMES)
    assert built_elsewhere(tmp_path, **{key: value}) == reference


def test_the_encoding_of_file_names(reference: str, tmp_path: Path) -> None:
    """Python takes names for ASCII here; what they mean must not change."""
    make_sources(tmp_path, NAMES)
    assert built_elsewhere(tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0") == reference


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_umask(reference: str, tmp_path: Path, mask: int) -> None:
    make_sources(tmp_path, NAMES)
    assert built_elsewhere(tmp_path, preexec=lambda: os.umask(mask) and None) == reference


def test_the_working_directory(reference: str, tmp_path: Path) -> None:
    make_sources(tmp_path, NAMES)
    assert built_elsewhere(tmp_path, cwd=Path("/")) == reference


def test_the_user(reference: str) -> None:
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = make_sources(folder, NAMES)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777)
        # A fork, not a new process: the interpreter may lie where nobody else may read.
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setuid(NOBODY)
                build_digest(manifest, folder / "disk.img")
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert (folder / "disk.img").stat().st_uid == NOBODY
        assert digest_of(folder / "disk.img") == reference
