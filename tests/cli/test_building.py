"""build, validate, plan, execute: what they write, what they say, and how they fail."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ntfsbuild.cli import main
from tests.cli.conftest import MANIFEST, Run
from tests.command import environment, start


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_build_says_what_it_made(folder: Path, run: Run) -> None:
    done = run("build", "disk.yaml", "-o", "disk.img")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("disk.img: 3.9 MiB, 6 files, 4 directories")
    assert (folder / "disk.img").stat().st_size > 3 << 20
    assert run("-q", "build", "disk.yaml", "-o", "disk.img").stdout == ""
    assert run("build", "disk.yaml", "-o", "disk.img", "--quiet").stdout == ""
    assert json.loads(run("build", "disk.yaml", "-o", "disk.img", "--json").stdout) == {
        "path": "disk.img",
        "size_bytes": (folder / "disk.img").stat().st_size,
        "files": 6,
        "directories": 4,
        "notes": [],
    }
    assert sorted(os.listdir(folder)) == ["assets", "disk.img", "disk.yaml"]


def test_verbose_tells_each_step(folder: Path, run: Run) -> None:
    run("build", "disk.yaml", "-o", "quiet.img")
    told = run("plan", "disk.yaml").stdout
    assert run("build", "-v", "disk.yaml", "-o", "disk.img").stderr == told
    run("plan", "disk.yaml", "-o", "plan.jsonl")
    done = run("execute", "plan.jsonl", "-o", "again.img", "-v")
    assert done.stderr.replace(", digest checked", "") == told
    assert digest(folder / "quiet.img") == digest(folder / "disk.img") == digest(folder / "again.img")


def test_a_saved_plan_gives_the_same_image(folder: Path, run: Run, other: Path) -> None:
    run("build", "disk.yaml", "-o", "disk.img")
    elsewhere = other
    text = run("plan", "disk.yaml", "--json").stdout
    (folder / "plan.jsonl").write_text(text, encoding="utf-8")

    saved = run("plan", folder / "disk.yaml", "-o", elsewhere / "plan.jsonl", cwd=elsewhere)
    assert (elsewhere / "plan.jsonl").read_text(encoding="utf-8") == text
    assert saved.stdout == ""
    assert saved.stderr == f"note: the plan is for sources in {folder}: execute it with --base {folder}\n"
    for place, arguments in [
        (folder, ["plan.jsonl"]),
        (elsewhere, [folder / "plan.jsonl"]),
        (folder, [elsewhere / "plan.jsonl"]),  # The manifest lies in the working directory.
        (elsewhere, ["plan.jsonl", "--base", folder]),
    ]:
        out = elsewhere / "out.img"
        done = run("execute", *arguments, "-o", out, cwd=place)
        assert done.returncode == 0, done.stderr
        assert digest(out) == digest(folder / "disk.img")
        out.unlink()
    piped = run("execute", "-", "-o", "piped.img", input=text)
    assert piped.returncode == 0
    assert digest(folder / "piped.img") == digest(folder / "disk.img")


def test_the_plan_is_the_same_wherever_it_lies(folder: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    for name in ("disk.yaml", "assets"):
        copy = shutil.copytree if name == "assets" else shutil.copy
        copy(folder / name, tmp_path / "deep/er" / name)
    here = run("plan", "disk.yaml", "--json").stdout
    there = run(
        "plan",
        tmp_path / "deep/er/disk.yaml",
        "--json",
        cwd=Path("/"),
        env={"LC_ALL": "C", "TZ": "Asia/Tokyo"},
    )
    assert there.stdout == here
    assert here.endswith('{"op": "commit"}\n')


def test_a_plan_for_people(run: Run) -> None:
    lines = run("plan", "disk.yaml").stdout.splitlines()
    words = "the smallest that fits, label TEST, serial 1C2D3E4F50617283, sector 512 B"
    assert lines[0].startswith(f"format          auto  {words}")
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "directory / hidden, system",
        "directory /assets",
        "directory /docs hidden",
        "directory /docs/deep",
        "directory /docs/deep/er",
        "file 2 B /Grüße.txt inline, readonly, archive",
        "file 0 B /empty.txt empty",
        "file 12 B /hello.txt inline",
        "file 3 MiB /noise.bin random, seed 7",
        "file 9 B /assets/a.txt from assets/a.txt",
        "file 6 B /docs/deep/er/a.txt inline",
    ]


@pytest.mark.parametrize("data", ["host filf", "longer than it was"])
def test_a_source_that_changed_since_the_plan(folder: Path, run: Run, data: str) -> None:
    run("plan", "disk.yaml", "-o", "plan.jsonl")
    (folder / "assets/a.txt").write_text(data)
    done = run("execute", "plan.jsonl", "-o", "disk.img")
    assert done.returncode == 2
    assert done.stderr.startswith("disk.yaml:7:25: tree/assets/a.txt: ")
    assert not (folder / "disk.img").exists()
    (folder / "assets/a.txt").unlink()
    done = run("execute", "plan.jsonl", "-o", "disk.img")
    assert done.returncode == 2
    assert f"{folder}/assets/a.txt does not exist" in done.stderr
    assert f"note: sources are looked for in {folder}; --base DIR names another folder" in done.stderr


def test_a_damaged_plan(folder: Path, run: Run) -> None:
    run("plan", "disk.yaml", "-o", "plan.jsonl")
    text = (folder / "plan.jsonl").read_text(encoding="utf-8")
    (folder / "plan.jsonl").write_text(text[: len(text) // 2], encoding="utf-8")
    (folder / "disk.img").write_text("old")
    done = run("execute", "plan.jsonl", "-o", "disk.img")
    assert done.returncode == 2
    assert "plan.jsonl:" in done.stderr and "cut off" in done.stderr
    assert (folder / "disk.img").read_text() == "old"
    for name, message in {"none": "none: no such file", "assets": "assets: a directory, not a plan"}.items():
        done = run("execute", name, "-o", "disk.img")
        assert (done.returncode, done.stderr) == (2, f"ntfsbuild: {message}\n")


def test_images_plans_and_manifests_in_the_place_of_each_other(folder: Path, run: Run) -> None:
    run("build", "disk.yaml", "-o", "disk.img")
    run("plan", "disk.yaml", "-o", "plan.jsonl")
    before = (folder / "disk.img").read_bytes()
    image = "disk.img is an NTFS volume, not a"
    plan = "plan.jsonl is a saved plan, not a manifest: use execute"
    for arguments, message in (
        (["build", "disk.img", "-o", "x.img"], f"{image} manifest; the manifest comes first"),
        (["validate", "disk.img"], f"{image} manifest; the manifest comes first"),
        (["apply", "disk.img", "disk.yaml"], f"{image} manifest; the manifest comes first"),
        (["build", "plan.jsonl", "-o", "x.img"], plan),
        (["execute", "disk.img", "-o", "x.img"], f"{image} saved plan"),
        (["execute", "disk.yaml", "-o", "x.img"], "disk.yaml is a manifest, not a saved plan: use build"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (2, f"ntfsbuild: {message}\n")
    assert (folder / "disk.img").read_bytes() == before and not (folder / "x.img").exists()


def test_a_plan_may_not_read_outside_its_folder(folder: Path, run: Run, other: Path) -> None:
    secret = other
    (secret / "key").write_text("secret")
    (folder / "disk.yaml").write_text(f"ntfsbuild: 1\ntree: {{a: {{source: {secret}/key}}}}\n")
    refused = run("build", "disk.yaml", "-o", "a.img")
    assert refused.returncode == 2
    assert "leaves the manifest's folder; allow it with --allow-outside DIR" in refused.stderr
    assert run("build", "disk.yaml", "-o", "a.img", "--allow-outside", secret).returncode == 0
    assert run("validate", "disk.yaml").returncode == 2
    assert run("validate", "disk.yaml", "--allow-outside", secret).returncode == 0
    assert run("plan", "disk.yaml", "-o", "p", "--allow-outside", secret).returncode == 0
    refused = run("execute", "p", "-o", "b.img")
    assert refused.returncode == 2 and "--allow-outside DIR" in refused.stderr
    assert run("execute", "p", "-o", "b.img", "--allow-outside", secret).returncode == 0
    assert digest(folder / "a.img") == digest(folder / "b.img")


def test_validate(folder: Path, run: Run) -> None:
    assert run("validate", "disk.yaml").stdout == "disk.yaml: valid\n"
    assert run("validate", "-q", "disk.yaml").stdout == ""
    assert json.loads(run("validate", "--json", "disk.yaml").stdout) == {"valid": True, "problems": []}
    bad = (
        MANIFEST.replace("3MiB", "3 XB")
        .replace("empty.txt:", "empty.txt: {sorce: a}")
        .replace("./assets", "./none")
    )
    (folder / "disk.yaml").write_text(bad, encoding="utf-8")

    done = run("validate", "disk.yaml")
    assert done.returncode == 2 and done.stdout == ""
    assert [line.split(": ")[0] for line in done.stderr.splitlines()][:1] == ["disk.yaml:6:15"]
    found = json.loads((done_json := run("validate", "disk.yaml", "--json")).stdout)
    assert done_json.returncode == 2 and done_json.stderr == ""
    assert not found["valid"]
    assert set(found["problems"][0]) == {"file", "line", "column", "path", "message"}
    assert run("build", "disk.yaml", "-o", "a.img").stderr == done.stderr
    error = json.loads(run("build", "disk.yaml", "-o", "a.img", "--json").stderr)["error"]
    assert (error["kind"], error["exit_code"]) == ("manifest", 2)
    assert error["problems"] == found["problems"]
    assert sorted(os.listdir(folder)) == ["assets", "disk.yaml"]


@pytest.mark.parametrize(
    ("value", "date"), [("0", "1970-01-01"), ("1700000000", "2023-11-14"), ("-1", "1969-12-31")]
)
def test_source_date_epoch(folder: Path, run: Run, value: str, date: str) -> None:
    (folder / "disk.yaml").write_text("ntfsbuild: 1\ntree: {a: x}\n")
    plan = run("plan", "disk.yaml", "--json", env={"SOURCE_DATE_EPOCH": value}).stdout.splitlines()
    assert json.loads(plan[-2])["times"].startswith(date)


@pytest.mark.parametrize("value", ["", "soon", "1.5", "0x10", "٣", " 1", "99999999999999", "-99999999999"])
def test_a_source_date_epoch_that_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    assert main(["build", str(folder / "disk.yaml"), "-o", str(folder / "a.img")]) == 2
    assert capsys.readouterr().err.startswith(f'ntfsbuild: SOURCE_DATE_EPOCH: "{value}" is not a ')
    assert not (folder / "a.img").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build"], 2, "Missing argument 'MANIFEST'"),
        (["build", "disk.yaml"], 2, "Missing option '-o' / '--output'"),
        (["bild"], 2, "No such command 'bild'"),
        (["build", "disk.yaml", "-o", "x", "--fast"], 2, "No such option"),
        ([], 2, "Usage: ntfsbuild"),
        (["build", "none.yaml", "-o", "x"], 2, "ntfsbuild: none.yaml: no such file"),
        (["build", "assets", "-o", "x"], 2, "ntfsbuild: assets: a directory"),
        (["build", "disk.yaml", "-o", "assets"], 2, "ntfsbuild: assets: is a directory"),
        (["build", "disk.yaml", "-o", "none/x"], 4, "ntfsbuild: none/x: No such file or directory"),
        (["build", "disk.yaml", "-o", "disk.yaml/x"], 4, "ntfsbuild: disk.yaml/x: Not a directory"),
        (["build", "disk.yaml", "-o", "x", "--allow-outside", "none"], 2, "none does not exist"),
        (["schema", "disk"], 2, "Invalid value"),
    ],
)
def test_wrong_arguments(run: Run, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""


def test_wrong_arguments_as_json(run: Run) -> None:
    error = json.loads(run("build", "--json").stderr)["error"]
    assert error["exit_code"] == 2 and "Missing argument" in error["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(folder: Path, run: Run) -> None:
    (folder / "locked").mkdir(mode=0o555)
    done = run("build", "disk.yaml", "-o", "locked/x.img")
    assert (done.returncode, done.stderr) == (4, "ntfsbuild: locked/x.img: Permission denied\n")


LARGE = "ntfsbuild: 1\ntree: {noise.bin: {size: 8GiB, fill: random, seed: 1}}\n"


def written_by(pid: int, folder: Path) -> int:
    """How much a process has written to files in a folder; they may have no name yet."""
    sizes = [0]
    with contextlib.suppress(OSError):
        sizes += [
            os.stat(entry.path).st_size
            for entry in os.scandir(f"/proc/{pid}/fd")
            if os.readlink(entry.path).startswith(str(folder.resolve()))
        ]
    return max(sizes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_that_is_stopped_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    (folder / "disk.yaml").write_text(LARGE)
    (folder / "disk.img").write_text("old")
    before = sorted(os.listdir(folder))
    process = subprocess.Popen(
        [sys.executable, "-m", "ntfsbuild", "build", "disk.yaml", "-o", "disk.img"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(200):
        if written_by(process.pid, folder) > 1 << 20:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the build never began to write")
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert (out, error) == ("", f"ntfsbuild: stopped by {number.name}\n")
    assert sorted(os.listdir(folder)) == before
    assert (folder / "disk.img").read_text() == "old"


def test_a_file_size_limit_leaves_nothing(folder: Path) -> None:
    (folder / "disk.img").write_text("old")
    before = sorted(os.listdir(folder))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = start("build", "disk.yaml", "-o", "disk.img", cwd=folder, preexec_fn=limit)
    assert done.returncode == 4
    assert done.stderr.startswith("ntfsbuild: disk.img: File too large")
    assert sorted(os.listdir(folder)) == before
    assert (folder / "disk.img").read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")
def test_a_full_disk_leaves_nothing(folder: Path, run: Run) -> None:
    (folder / "full").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder / "full"], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        (folder / "full/disk.img").write_text("old")
        done = run("build", "disk.yaml", "-o", "full/disk.img")
        assert done.returncode == 4
        assert done.stderr == "ntfsbuild: full/disk.img: No space left on device\n"
        assert os.listdir(folder / "full") == ["disk.img"]
        assert (folder / "full/disk.img").read_text() == "old"
    finally:
        subprocess.run(["umount", folder / "full"], check=True)


def test_an_output_that_is_full(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = start("plan", "disk.yaml", cwd=folder, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (4, "ntfsbuild: No space left on device\n")


def test_a_reader_that_goes_away(folder: Path, run: Run) -> None:
    many = "".join(f"  file{k}: x\n" for k in range(20_000))
    (folder / "disk.yaml").write_text(f"ntfsbuild: 1\ntree:\n{many}")
    command = f"{sys.executable} -m ntfsbuild plan disk.yaml --json | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and done.stdout.startswith('{"ntfsbuild_plan": 1')


BROKEN = """
import sys
from ntfsbuild import builder, cli

def build(*_, **__):
    raise KeyError("oops")

builder.build = build
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("debug", [False, True])
def test_our_bugs_are_one_line(folder: Path, debug: bool) -> None:
    command = [sys.executable, "-c", BROKEN, "build", "disk.yaml", "-o", "x", *(["--debug"] if debug else [])]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert ("Traceback" in done.stderr) is debug
    hint = "" if debug else "; run with --debug for the traceback"
    assert done.stderr.splitlines()[-1] == f"ntfsbuild: bug: KeyError: 'oops'{hint}"
    assert debug or done.stderr.count("\n") == 1


def test_debug_shows_the_traceback_of_any_error(run: Run) -> None:
    done = run("build", "none.yaml", "-o", "x", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr


@pytest.mark.parametrize("no_color", [False, True])
def test_progress_is_for_terminals(folder: Path, no_color: bool) -> None:
    """On a pseudo-terminal there is a bar, without colours when NO_COLOR is set; in a pipe there is none."""
    pty = pytest.importorskip("pty")
    (folder / "disk.yaml").write_text(LARGE.replace("8GiB", "64MiB"))
    extra = {"NO_COLOR": "1"} if no_color else {}
    main, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ntfsbuild", "build", "disk.yaml", "-o", "disk.img"],
        cwd=folder, env=environment(TERM="xterm-256color", **extra), stdout=subprocess.PIPE, stderr=other,
    )  # fmt: skip
    os.close(other)
    seen = b""
    while True:
        try:
            data = os.read(main, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(main)
    out, _ = process.communicate()
    assert process.returncode == 0 and out.startswith(b"disk.img: ")
    assert b"files" in seen
    assert (b"\x1b[38;5;" in seen) is not no_color
