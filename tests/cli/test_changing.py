"""apply, and plans against a base: what they do, what they say, and how they fail."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CHANGE = """\
ntfsbuild: 1
defaults: {times: 2025-01-01T00:00:00Z}
tree:
  hello.txt: "Hello again\\n"
  empty.txt: {absent: true}
  docs/deep/er/b.txt: beside it
  docs/deep/er/a.txt: nested
  new/place/c.txt: made with its parents
steps:
  - append: hello.txt
    text: "and again\\n"
  - rename: noise.bin
    to: docs/noise.bin
    time: 2025-06-01T00:00:00Z
"""
SUMMARY = "4 created, 2 replaced, 4 kept, 1 removed, 2 steps"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _base(folder: Path, run: Run) -> None:
    (folder / "disk.yaml").write_text(
        (folder / "disk.yaml").read_text().replace("label", "size: auto+8MiB, label")
    )
    (folder / "change.yaml").write_text(CHANGE)
    assert run("build", "disk.yaml", "-o", "disk.img").returncode == 0


def test_a_plan_shows_what_will_happen_to_each_path(folder: Path, run: Run) -> None:
    before = digest(folder / "disk.img")
    lines = run("plan", "change.yaml", "--base", "disk.img").stdout.splitlines()
    happens = [line.split()[0] + " " + line[22:].split("  ")[0] for line in lines[1:-1]]
    assert happens == [
        "remove /empty.txt",
        "keep /",
        "keep /docs/",
        "keep /docs/deep/",
        "keep /docs/deep/er/",
        "create /new",
        "create /new/place",
        "replace /hello.txt",
        "replace /docs/deep/er/a.txt",
        "create /docs/deep/er/b.txt",
        "create /new/place/c.txt",
        "append /hello.txt",
        "rename /noise.bin",
    ]
    assert lines[-1] == SUMMARY
    assert digest(folder / "disk.img") == before


def test_apply_takes_the_place_of_the_image_or_not(folder: Path, run: Run) -> None:
    before = digest(folder / "disk.img")
    done = run("apply", "change.yaml", "disk.img", "-o", "other.img")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"other.img: {SUMMARY}\n"
    assert digest(folder / "disk.img") == before
    saved = run("plan", "change.yaml", "--base", "disk.img", "-o", "plan.jsonl")
    assert saved.returncode == 0
    assert run("execute", "plan.jsonl", "--image", "disk.img", "-o", "executed.img").returncode == 0
    told = run("apply", "-v", "change.yaml", "disk.img")
    assert told.stderr.splitlines()[1].startswith("remove ")
    assert run("cat", "disk.img", "hello.txt").stdout == "Hello again\nand again\n"
    assert run("cat", "disk.img", "/NEW/Place/c.txt").stdout == "made with its parents"
    assert digest(folder / "disk.img") == digest(folder / "other.img") == digest(folder / "executed.img")
    names = {"assets", "change.yaml", "disk.img", "disk.yaml", "executed.img", "other.img", "plan.jsonl"}
    assert set(os.listdir(folder)) == names


def test_apply_in_place_says_it_as_json(folder: Path, run: Run) -> None:
    inode = (folder / "disk.img").stat().st_ino
    done = run("apply", "change.yaml", "disk.img", "--in-place", "--json")
    assert json.loads(done.stdout) == {
        "path": "disk.img",
        "changed": True,
        "created": 4,
        "replaced": 2,
        "removed": 1,
        "kept": 4,
        "steps": 2,
        "notes": [],
    }
    assert (folder / "disk.img").stat().st_ino == inode
    assert run("cat", "disk.img", "hello.txt").stdout == "Hello again\nand again\n"


def test_what_is_there_already_is_not_touched(folder: Path, run: Run) -> None:
    (folder / "tree.yaml").write_text(CHANGE[: CHANGE.index("steps:")])
    run("apply", "tree.yaml", "disk.img")
    before, status = digest(folder / "disk.img"), (folder / "disk.img").stat()
    for options in ([], ["--in-place"]):
        done = run("apply", "tree.yaml", "disk.img", *options)
        assert done.stdout == "disk.img: 0 created, 0 replaced, 10 kept, 0 removed; nothing to change\n"
    assert digest(folder / "disk.img") == before
    assert (folder / "disk.img").stat() == status


def test_conflicts(folder: Path, run: Run) -> None:
    done = run("apply", "change.yaml", "disk.img", "--on-conflict", "error")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "change.yaml:4:3: tree/hello.txt: is there already with other content",
        "change.yaml:7:3: tree/docs/deep/er/a.txt: is there already with other times or attributes",
    ]
    run("apply", "change.yaml", "disk.img", "--on-conflict", "keep")
    assert run("cat", "disk.img", "hello.txt").stdout == "Hello, NTFS\nand again\n"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("docs: a file", None),
        ("docs: {text: ''}", None),
        ("docs:", "change.yaml:3:3: tree/docs: is a directory on the base, and an empty file would delete"),
        ("hello.txt/inside: x", None),
        ("docs: {absent: true}", "change.yaml:3:3: tree/docs: is a directory on the base: docs/ means it"),
        ("hello.txt/: {.: {absent: true}}", "tree/hello.txt: is a file on the base: hello.txt means it"),
        ("nowhere/gone.txt: {absent: true}", None),
        ("$MFT: x", "tree/$MFT: is the name of one of NTFS's own files"),
    ],
)
def test_other_kinds(folder: Path, run: Run, tree: str, message: str | None) -> None:
    (folder / "change.yaml").write_text(f"ntfsbuild: 1\ntree:\n  {tree}\n")
    done = run("apply", "change.yaml", "disk.img")
    assert done.returncode == (2 if message else 0), done.stderr
    assert (message or "") in done.stderr


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("delete: nowhere", "change.yaml:5:5: steps[1]: /nowhere: not found"),
        ("delete: docs", "change.yaml:5:5: steps[1]: /docs: the directory is not empty"),
        (
            "{rename: docs, to: docs/deep/d}",
            "change.yaml:5:6: steps[1]: /docs/deep/d: lies inside /docs",
        ),
        ("{rename: hello.txt, to: empty.txt}", "steps[1]: /empty.txt: is there already"),
        ("{rename: hello.txt, to: 'a:b'}", "steps[1]: to: /a:b: Windows allows no : in names"),
        ("{write: docs, text: x}", "steps[1]: /docs: is a directory"),
        ("{write: no/such/directory, text: x}", "steps[1]: /no/such: not found"),
        ("{write: a.txt, source: ./none}", "steps[1]: source:"),
        ("{truncate: hello.txt, size: 1GiB}", "the volume is full:"),
        ("{mkdir: docs}", "steps[1]: /docs: is there already"),
        ("{link: docs, to: d2}", "steps[1]: /docs: is a directory"),
        ("{touch: $Volume, times: 2024-01-01}", "steps[1]: /$Volume: is one of NTFS's own files"),
        ("{delete: hello.txt, stream: none}", "steps[1]: /hello.txt: it has no stream 'none'"),
    ],
)
def test_steps_that_cannot_be_taken(folder: Path, run: Run, step: str, message: str) -> None:
    text = f"ntfsbuild: 1\nsteps:\n  - mkdir: before\n    time: 2024-01-01\n  - {step}\n"
    (folder / "change.yaml").write_text(text)
    for options in ([], ["--in-place"], ["-o", "other.img"]):
        done = run("apply", "change.yaml", "disk.img", *options)
        assert done.returncode == (3 if "full" in message else 2), done.stderr
        assert message in done.stderr
    there = ["assets/", "docs/", "empty.txt", "Grüße.txt", "hello.txt", "noise.bin"]
    assert run("ls", "disk.img").stdout.split() == there
    assert not (folder / "other.img").exists()
    with_base = "ntfsbuild: 1\nvolume: {base: ./disk.img}\n" + text.split("\n", 1)[1]
    (folder / "based.yaml").write_text(with_base)
    assert run("validate", "based.yaml").returncode == done.returncode


def test_a_manifest_names_its_base(folder: Path, run: Run) -> None:
    (folder / "based.yaml").write_text(
        "ntfsbuild: 1\nvolume: {base: ./disk.img, label: BASED}\ntree: {more.txt: more}\n"
    )
    before = digest(folder / "disk.img")
    assert run("validate", "based.yaml").stdout == "based.yaml: valid\n"
    assert run("plan", "based.yaml").stdout.splitlines()[-1] == "1 created, 0 replaced, 1 kept, 0 removed"
    assert run("build", "based.yaml", "-o", "based.img").returncode == 0
    assert run("stat", "based.img").stdout.splitlines()[0].split() == ["label:", "BASED"]
    assert run("cat", "based.img", "more.txt").stdout == "more"
    assert run("cat", "based.img", "hello.txt").stdout == "Hello, NTFS\n"
    assert digest(folder / "disk.img") == before
    (folder / "based.yaml").write_text("ntfsbuild: 1\nvolume: {base: ./none.img}\n")
    done = run("build", "based.yaml", "-o", "based.img")
    assert done.returncode == 2
    assert done.stderr.startswith("based.yaml:2:16: volume: base: ")
    assert done.stderr.endswith("none.img does not exist\n")
    (folder / "based.yaml").write_text("ntfsbuild: 1\nvolume: {base: /etc/passwd}\n")
    assert "leaves the manifest's folder" in run("build", "based.yaml", "-o", "based.img").stderr


def test_a_plan_for_another_volume_is_refused(folder: Path, run: Run) -> None:
    run("plan", "change.yaml", "--base", "disk.img", "-o", "plan.jsonl")
    (folder / "other.yaml").write_text("ntfsbuild: 1\nvolume: {size: 8MiB}\n")
    run("build", "other.yaml", "-o", "other.img")
    done = run("execute", "plan.jsonl", "--image", "other.img", "-o", "out.img")
    assert done.returncode == 2
    assert "was made for the volume with the serial number 1C2D3E4F50617283" in done.stderr
    assert run("execute", "plan.jsonl", "-o", "out.img").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["apply", "change.yaml", "disk.img", "--in-place", "-o", "x.img"], "--in-place writes IMAGE itself"),
        (["apply", "change.yaml", "disk.img", "--journal", "j"], "--journal belongs to --in-place"),
        (["apply", "change.yaml", "disk.img", "--on-conflict", "maybe"], "maybe"),
        (["plan", "change.yaml", "--partition", "1"], "name the image, too"),
        (["apply", "change.yaml", "disk.img", "--partition", "0"], "--partition"),
    ],
)
def test_options_that_do_not_go_together(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_what_is_no_volume(folder: Path, run: Run) -> None:
    for arguments in (
        ["apply", "change.yaml", "disk.yaml"],
        ["plan", "change.yaml", "--base", "disk.yaml"],
    ):
        done = run(*arguments)
        assert done.returncode == 3
        assert done.stderr.startswith("ntfsbuild: disk.yaml: no NTFS volume: ")
    done = run("apply", "change.yaml", "none.img")
    assert (done.returncode, done.stderr) == (4, "ntfsbuild: none.img: No such file or directory\n")


def test_steps_after_a_fresh_build(folder: Path, run: Run) -> None:
    (folder / "steps.yaml").write_text(
        "ntfsbuild: 1\nclock: {start: 2024-01-01T00:00:00Z, step: 1h}\n"
        "tree: {a.txt: a}\n"
        "steps:\n"
        "  - {append: a.txt, size: 1MiB, fill: random}\n"
        "  - {write: b.txt, text: b}\n"
        "  - {rename: a.txt, to: c.txt}\n"
    )
    assert run("validate", "steps.yaml").returncode == 0
    assert run("build", "steps.yaml", "-o", "steps.img").returncode == 0
    lines = run("ls", "-l", "steps.img").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["1", "2024-01-01", "01:00:00", "b.txt"],
        ["1048577", "2024-01-01", "00:00:00", "c.txt"],
    ]
    run("plan", "steps.yaml", "-o", "steps.jsonl")
    run("execute", "steps.jsonl", "-o", "again.img")
    assert digest(folder / "again.img") == digest(folder / "steps.img")
