"""ls, tree, cat, stat: what they show of a volume, as text and as JSON."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ntfsbuild.cli import main
from ntfsbuild.content.model import Fill
from ntfsbuild.content.read import read
from ntfsbuild.ondisk import security
from ntfsbuild.report.listing import tree_lines
from tests.cli.conftest import Run
from tests.command import ROOT
from tests.command import run as run_in

SCHEMA = json.loads((ROOT / "schemas/listing.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(name="image")
def _image(run: Run, folder: Path) -> Path:
    assert run("build", "disk.yaml", "-o", "disk.img").returncode == 0
    return folder / "disk.img"


@pytest.mark.usefixtures("image")
def test_ls(run: Run) -> None:
    names = run("ls", "disk.img").stdout.splitlines()
    assert names == ["assets/", "docs/", "empty.txt", "Grüße.txt", "hello.txt", "noise.bin"]
    assert run("ls", "disk.img", "docs/deep").stdout == run("ls", "disk.img", "/DOCS/Deep/").stdout == "er/\n"
    assert run("ls", "disk.img", "/hello.txt").stdout == "hello.txt\n"
    assert run("ls", "-R", "disk.img", "docs").stdout.split() == [
        "/docs/deep/", "/docs/deep/er/", "/docs/deep/er/a.txt",
    ]  # fmt: skip
    assert "$MFT" in run("ls", "-a", "disk.img").stdout.split()


@pytest.mark.usefixtures("image")
def test_ls_long(run: Run) -> None:
    assert run("ls", "-l", "disk.img").stdout.splitlines() == [
        "d--------                2024-01-01 00:00:00  assets/",
        "d-h------                2023-05-06 07:08:09  docs/",
        "----a----             0  2024-01-01 00:00:00  empty.txt",
        "-r--a----             2  2024-01-01 00:00:00  Grüße.txt",
        "----a----            12  2024-01-01 00:00:00  hello.txt",
        "----a----       3145728  2024-01-01 00:00:00  noise.bin",
    ]


@pytest.mark.usefixtures("image")
def test_ls_as_json(run: Run) -> None:
    items = json.loads(run("ls", "--json", "disk.img").stdout)
    times = dict.fromkeys(("created", "modified", "changed", "accessed"), "2024-01-01T00:00:00.0000000Z")
    assert [item["name"] for item in items] == run("ls", "disk.img").stdout.replace("/", "").split()
    assert items[1].pop("record") > 23
    assert items[1] == {
        "path": "/docs",
        "name": "docs",
        "type": "directory",
        "size_bytes": 0,
        "attributes": ["hidden"],
        "times": times | {"modified": "2023-05-06T07:08:09.1234567Z"},
    }
    everything = json.loads(run("ls", "-R", "--json", "disk.img").stdout)
    assert [item["path"] for item in everything if item["type"] == "file"] == [
        "/assets/a.txt", "/docs/deep/er/a.txt", "/empty.txt", "/Grüße.txt", "/hello.txt", "/noise.bin",
    ]  # fmt: skip
    assert json.loads(run("tree", "--json", "disk.img").stdout) == everything


@pytest.mark.usefixtures("image")
def test_tree(run: Run) -> None:
    assert (
        run("tree", "disk.img").stdout
        == """\
/
├── assets/
│   └── a.txt
├── docs/
│   └── deep/
│       └── er/
│           └── a.txt
├── empty.txt
├── Grüße.txt
├── hello.txt
└── noise.bin

4 directories, 6 files
"""
    )
    assert (
        run("tree", "disk.img", "docs/deep").stdout
        == """\
/docs/deep
└── er/
    └── a.txt

1 directory, 1 file
"""
    )


@pytest.mark.usefixtures("image")
def test_the_tree_of_a_file(run: Run) -> None:
    done = run("tree", "disk.img", "/docs/deep/ER/a.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "/docs/deep/er/a.txt\n\n0 directories, 1 file\n"
    assert len(json.loads(run("tree", "disk.img", "hello.txt", "--json").stdout)) == 1


@pytest.mark.usefixtures("image")
def test_a_path_is_shown_as_it_is_spelled_on_the_volume(run: Run) -> None:
    assert run("tree", "disk.img", "/DOCS/deep/../Deep/./er").stdout.startswith("/docs/deep/er\n└── a.txt")
    assert run("ls", "disk.img", "HELLO.TXT").stdout == "hello.txt\n"
    assert run("ls", "-R", "disk.img", "DOCS/Deep").stdout == "/docs/deep/er/\n/docs/deep/er/a.txt\n"
    assert json.loads(run("ls", "--json", "disk.img", "/DOCS/").stdout)[0]["path"] == "/docs/deep"
    for path in ("/HELLO.TXT", "/docs/../Hello.txt", "hello.txt/"):
        facts = json.loads(run("stat", "disk.img", path, "--json").stdout)
        assert (facts["path"], facts["name"]) == ("/hello.txt", "hello.txt")


@pytest.mark.parametrize("offset", ["65536", "64KiB", "0x10000"])
def test_a_volume_that_begins_inside_its_image(folder: Path, run: Run, image: Path, offset: str) -> None:
    (folder / "whole.img").write_bytes(b"\xaa" * 65536 + image.read_bytes())
    for command in (["ls", "-R"], ["tree"], ["stat"], ["stat", "-", "hello.txt"], ["cat", "-", "hello.txt"]):
        verb, *rest = [part for part in command if part != "-"]
        expected = run(verb, "disk.img", *rest)
        assert expected.returncode == 0
        assert run(verb, "whole.img", *rest, "--offset", offset).stdout == expected.stdout
    assert run("ls", "whole.img").returncode == 3


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("offset", ["64 KiB", "-1", "many", "8EiB"])
def test_an_offset_that_is_none(run: Run, offset: str) -> None:
    done = run("ls", "disk.img", f"--offset={offset}")
    assert done.returncode == 2
    assert "Invalid value for '--offset': " in done.stderr


def test_the_rails_of_a_tree() -> None:
    drawn = [(0, "a/"), (1, "b/"), (2, "c"), (1, "d/"), (0, "e/"), (1, "f"), (1, "g")]
    assert list(tree_lines("/", drawn)) == [
        "/",
        "├── a/",
        "│   ├── b/",
        "│   │   └── c",
        "│   └── d/",
        "└── e/",
        "    ├── f",
        "    └── g",
        "",
        "4 directories, 3 files",
    ]
    assert list(tree_lines("/", [])) == ["/", "", "0 directories, 0 files"]


def test_cat(folder: Path, run: Run, image: Path) -> None:
    assert run("cat", "disk.img", "hello.txt").stdout == "Hello, NTFS\n"
    assert run("cat", "disk.img", "/docs/deep/er/a.txt").stdout == "nested"
    noise = read(Fill(3 << 20, 7))
    done = run_in("cat", "disk.img", "noise.bin", cwd=folder, text=False)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(noise).digest()
    assert run("cat", image, "noise.bin", "-o", "copy").stdout == ""
    assert (folder / "copy").read_bytes() == noise
    assert sorted(os.listdir(folder)) == ["assets", "copy", "disk.img", "disk.yaml"]


@pytest.mark.usefixtures("image")
def test_stat_of_the_volume(run: Run) -> None:
    facts = json.loads(run("stat", "disk.img", "--json").stdout)
    assert facts["label"] == "TEST"
    assert facts["serial"] == "1C2D3E4F50617283"
    assert (facts["sector_bytes"], facts["cluster_bytes"], facts["record_bytes"]) == (512, 4096, 1024)
    text = run("stat", "disk.img").stdout.splitlines()
    assert text[0] == "label:          TEST"
    assert "cluster bytes:  4096" in text


@pytest.mark.usefixtures("image")
def test_stat_of_a_file(run: Run) -> None:
    facts = json.loads(run("stat", "disk.img", "NOISE.bin", "--json").stdout)
    assert (facts["name"], facts["type"], facts["size_bytes"]) == ("noise.bin", "file", 3 << 20)
    assert facts["streams"][0]["name"] == "" and not facts["streams"][0]["resident"]
    assert sum(run["clusters"] for run in facts["streams"][0]["runs"]) == 768
    text = run("stat", "disk.img", "docs").stdout
    assert "  modified: 2023-05-06T07:08:09.1234567Z\n" in text
    assert run("stat", "disk.img", "/").returncode == 0


@pytest.mark.usefixtures("image")
def test_what_is_printed_fits_its_schema(run: Run) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    commands = (
        ["ls"], ["ls", "-aR"], ["tree"], ["stat"],
        *(["stat", path] for path in ("/", "noise.bin", "docs", "$MFT", "$Secure", "$Extend/$ObjId")),
    )  # fmt: skip
    for verb, *rest in commands:
        validator.validate(json.loads(run(verb, "disk.img", *rest, "--json").stdout))


def test_every_property_of_the_schema_is_described() -> None:
    def check(node: Any, where: str) -> None:
        if isinstance(node, dict):
            for name, one in node.get("properties", {}).items():
                if isinstance(one, dict):
                    target = SCHEMA["$defs"].get(one.get("$ref", "").rpartition("/")[2], {})
                    assert "description" in one or "description" in target, f"{where}/{name}"
            for name, one in node.items():
                check(one, f"{where}/{name}")
        elif isinstance(node, list):
            for number, one in enumerate(node):
                check(one, f"{where}/{number}")

    check(SCHEMA, "")


@pytest.mark.usefixtures("image")
def test_stat_shows_who_may_do_what(run: Run) -> None:
    facts = json.loads(run("stat", "disk.img", "hello.txt", "--json").stdout)
    assert facts["security"]["id"] == facts["security_id"] >= 0x100
    assert facts["security"]["sddl"] == "O:BAG:BAD:AI(A;ID;FA;;;WD)"
    assert (facts["security"]["owner"], facts["security"]["group"]) == ("BA", "BA")
    assert bytes.fromhex(facts["security"]["hex"]) == security.DEFAULT_FILE
    assert (facts["attribute_list"], facts["records"]) == (False, [facts["record"]])
    nothing = ("reparse", "ea", "unix", "object_id", "efs", "short_name", "case_sensitive")
    assert [facts[name] for name in nothing] == [None] * 7
    assert facts["names"][0]["entry"]["times"] == facts["names"][0]["times"] == facts["times"]
    text = run("stat", "disk.img", "hello.txt").stdout
    assert f"security:   {facts['security_id']:#x} O:BAG:BAD:AI(A;ID;FA;;;WD)\n" in text
    assert "reparse" not in text and "hex" not in text


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ls", "disk.img", "none"], 3, "disk.img: /none: not found"),
        (["cat", "disk.img", "docs"], 3, "disk.img: /docs: is a directory"),
        (["cat", "disk.img", "hello.txt", "--stream", "x"], 3, "disk.img: /hello.txt: it has no stream 'x'"),
        (["stat", "disk.img", "hello.txt/x"], 3, "disk.img: /hello.txt/x: not found"),
        (["ls", "none.img"], 4, "none.img: No such file or directory"),
        (["ls", "assets"], 4, "assets: Is a directory"),
        (["ls", "disk.yaml"], 3, "disk.yaml: no NTFS volume: neither a boot sector"),
        (["ls", "/dev/null"], 3, "/dev/null: not an NTFS volume"),
    ],
)
def test_what_cannot_be_shown(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"ntfsbuild: {message}")
    error = json.loads(run(*arguments, "--json").stderr)["error"]
    assert error["exit_code"] == code
    assert error["kind"] == ("host" if code == 4 else error["kind"])


def test_a_damaged_volume(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever byte is wrong: an answer or an error of the volume, never a traceback or a bug."""
    good = image.read_bytes()
    codes = set()
    fd = os.open(image, os.O_WRONLY)
    for at in [*range(80), *range(510, 512), *range(4096, 4096 * 24, 197)]:
        os.pwrite(fd, bytes([good[at] ^ 0xFF]), at)
        for command in (["ls", "-R", image], ["stat", image, "docs"]):
            code = main(list(map(str, command)))
            assert code in (0, 3), (at, command, capsys.readouterr().err)
            codes.add(code)
        os.pwrite(fd, good[at : at + 1], at)
    os.close(fd)
    assert codes == {0, 3}


def test_names_cannot_rule_the_terminal(folder: Path, run: Run) -> None:
    (folder / "disk.yaml").write_text(
        'ntfsbuild: 1\ndefaults: {names: posix}\ntree: {"a\\x1b[31mb\\nc": x}\n', encoding="utf-8"
    )
    assert run("build", "disk.yaml", "-o", "disk.img").returncode == 0
    for command in (["ls"], ["ls", "-l"], ["ls", "-R"], ["tree"]):
        assert "a\\x1b[31mb\\x0ac" in run(*command, "disk.img").stdout
    assert json.loads(run("ls", "--json", "disk.img").stdout)[0]["name"] == "a\x1b[31mb\nc"
    assert "a\\x1b[31mb\\x0ac" in run("plan", "disk.yaml").stdout
