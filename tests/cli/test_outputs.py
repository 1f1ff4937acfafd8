"""An output that is one of the inputs is refused by every command, whatever its name; nothing is written."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from ntfsbuild import builder
from ntfsbuild.errors import ManifestError
from tests.cli.conftest import Run
from tests.crypto.identities import PASSPHRASE, RECOVERY, identity

# The command, with `{}` for the output; and the input that it is.
COMMANDS: dict[str, tuple[str, str]] = {
    "build, manifest": ("build m.yaml -o {}", "m.yaml"),
    "build, source": ("build m.yaml -o {}", "source.bin"),
    "build, part of a file": ("build m.yaml -o {}", "part.bin"),
    "build, file of a directory": ("build m.yaml -o {}", "assets/deep/a.txt"),
    "build, archive": ("build m.yaml -o {}", "files.tar"),
    "build, packed archive": ("build m.yaml -o {}", "files.tar.gz"),
    "build, certificate": ("build m.yaml -o {}", "cert.pem"),
    "build, recovery certificate": ("build m.yaml -o {}", "recovery.pem"),
    "build, base": ("build based.yaml -o {}", "i.img"),
    "build, written by a step": ("build steps.yaml -o {}", "source.bin"),
    "plan, manifest": ("plan m.yaml -o {}", "m.yaml"),
    "plan, source": ("plan m.yaml -o {}", "source.bin"),
    "plan, archive": ("plan m.yaml -o {}", "files.tar.gz"),
    "plan, certificate": ("plan m.yaml -o {}", "cert.pem"),
    "plan, image": ("plan change.yaml --base i.img -o {}", "i.img"),
    "plan, base": ("plan based.yaml -o {}", "i.img"),
    "execute, plan": ("execute plan.jsonl -o {}", "plan.jsonl"),
    "execute, source": ("execute plan.jsonl -o {}", "source.bin"),
    "execute, archive": ("execute plan.jsonl -o {}", "files.tar"),
    "execute, image": ("execute change.jsonl --image i.img -o {}", "i.img"),
    "apply, manifest": ("apply change.yaml i.img -o {}", "change.yaml"),
    "apply, image": ("apply change.yaml i.img -o {}", "i.img"),
    "apply, source": ("apply change.yaml i.img -o {}", "source.bin"),
    "apply, file of a directory": ("apply change.yaml i.img -o {}", "assets/deep/a.txt"),
    "apply, archive": ("apply change.yaml i.img -o {}", "files.tar.gz"),
    "apply, certificate": ("apply change.yaml i.img -o {}", "cert.pem"),
    "apply, image that is the manifest": ("apply change.yaml {}", "change.yaml"),
    "apply, image that is a source": ("apply image-as-source.yaml {}", "i.img"),
    "apply in place, image that is the manifest": ("apply change.yaml {} --in-place", "change.yaml"),
    "apply in place, image that is a source": ("apply image-as-source.yaml {} --in-place", "i.img"),
    "apply in place, image that a step reads": ("apply image-in-a-step.yaml {} --in-place", "i.img"),
    "cat, image": ("cat i.img /big.bin -o {}", "i.img"),
    "cat, key": ("cat i.img /big.bin --key key.pem -o {}", "key.pem"),
    "cat, passphrase": ("cat i.img /big.bin --key key.pem --passphrase-file pass -o {}", "pass"),
    "extract, image": ("extract i.tar -o {}", "i.tar"),
    "capture, image": ("capture i.img -o {}", "i.img"),
}
MANIFEST = """\
ntfsbuild: 1
volume: {size: 4MiB}
tree:
  s.bin: {source: ./source.bin}
  parts.bin: {size: 1MiB, data: [{at: 4KiB, source: ./part.bin}]}
  d/: {.: {source: ./assets}}
  t/: {.: {source: ./files.tar}}
  z/: {.: {source: ./files.tar.gz}}
  secret.txt: {text: secret, encrypted: {to: cert.pem, recovery: recovery.pem}}
"""


def itself(folder: Path, name: str) -> str:
    return name


def another_spelling(folder: Path, name: str) -> str:
    return f"assets/../{name}"


def hard_link(folder: Path, name: str) -> str:
    link = "hard" + Path(name).suffix
    os.link(folder / name, folder / link)
    return link


def symbolic_link(folder: Path, name: str) -> str:
    link = "soft" + Path(name).suffix
    (folder / link).symlink_to(name)
    return link


@pytest.fixture(name="inputs", scope="module")
def _inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a folder in which every command has its inputs."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "assets/deep").mkdir(parents=True)
    (folder / "assets/deep/a.txt").write_text("a")
    (folder / "source.bin").write_bytes(b"s" * 5000)
    (folder / "part.bin").write_bytes(b"p" * 5000)
    for name, mode in (("files.tar", "w"), ("files.tar.gz", "w:gz")):
        with tarfile.open(folder / name, mode) as tar:  # type: ignore[call-overload]
            tar.add(folder / "assets", "in")
    (folder / "cert.pem").write_bytes(identity("user").pem)
    (folder / "recovery.pem").write_bytes(identity("recovery", RECOVERY).pem)
    key = identity("user").key
    (folder / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    )
    (folder / "pass").write_bytes(PASSPHRASE + b"\n")
    (folder / "m.yaml").write_text(MANIFEST)
    (folder / "change.yaml").write_text(MANIFEST.replace("volume: {size: 4MiB}\n", ""))
    (folder / "based.yaml").write_text("ntfsbuild: 1\nvolume: {base: ./i.img}\ntree: {new.txt: x}\n")
    (folder / "steps.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: 8MiB}\ntree: {}\nsteps: [{write: a.bin, source: ./source.bin}]\n"
    )
    (folder / "image-as-source.yaml").write_text("ntfsbuild: 1\ntree: {a.bin: {source: ./i.img}}\n")
    (folder / "image-in-a-step.yaml").write_text("ntfsbuild: 1\nsteps: [{write: a.bin, source: ./i.img}]\n")
    (folder / "base.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: 6MiB}\ntree: {big.bin: {size: 100KiB, fill: random}}\n"
    )
    builder.build(folder / "base.yaml", folder / "i.img")
    (folder / "i.tar").write_bytes((folder / "i.img").read_bytes())
    for name, base in (("plan.jsonl", None), ("change.jsonl", builder.BaseImage(folder / "i.img"))):
        manifest = builder.load(folder / ("change.yaml" if base else "m.yaml"))
        plan = builder.make_plan(manifest, base=base, pin_sources=True)
        (folder / name).write_text("".join(builder.save_plan(plan, folder)))
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(name="filled")
def _filled(inputs: dict[str, bytes], folder: Path) -> Path:
    for name, data in inputs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name_it", [itself, another_spelling, hard_link, symbolic_link])
@pytest.mark.parametrize("case", COMMANDS)
def test_an_output_that_is_an_input(
    filled: Path, run: Run, case: str, name_it: Callable[[Path, str], str]
) -> None:
    command, name = COMMANDS[case]
    output = name_it(filled, name)
    before = state(filled)
    done = run(*(word.replace("{}", output) for word in command.split()))
    if name_it is hard_link and "in place, image that" in case and "manifest" not in case:
        assert done.returncode == 4, "an image with several names is not changed in place anyway"
    else:
        assert done.returncode == 2, done.stderr
        assert "an output cannot be an input" in done.stderr
        assert name in done.stderr
    assert done.stdout == ""
    assert state(filled) == before


def test_what_a_pattern_leaves_out_is_no_input(filled: Path, run: Run) -> None:
    (filled / "x.yaml").write_text("ntfsbuild: 1\ntree: {d/: {.: {source: ./assets, exclude: ['*.img']}}}\n")
    for _ in range(2):  # The second time it is there.
        done = run("build", "x.yaml", "-o", "assets/disk.img")
        assert (done.returncode, done.stderr) == (0, "")


def test_an_image_takes_its_own_place(filled: Path, run: Run) -> None:
    """Without another output: that is what apply is for."""
    done = run("apply", "change.yaml", "i.img")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("build", "m.yaml", "-o", "i.img")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_journal_of_a_device_is_no_input(filled: Path) -> None:
    image = builder.BaseImage(filled / "i.img", journal=filled / "change.yaml")
    with pytest.raises(ManifestError, match="is the manifest itself: an output cannot be an input"):
        builder.apply(filled / "change.yaml", image, in_place=True)
