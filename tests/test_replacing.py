"""New files take their place when they are whole, and leave nothing behind when they are not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.image import syscalls
from ntfsbuild.image.replacing import replacing
from tests.image.faults import Killed, count_calls, every_fault, inject
from tests.image.power import after_power_cut, recording


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to make the file: the host of the tests has both, others may have one."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    return str(request.param)


def test_a_whole_file_takes_its_place(way: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    with replacing(target) as descriptor:
        os.write(descriptor, b"new")
        assert not target.exists()
        assert os.listdir(tmp_path) == ([] if way == "nameless" else os.listdir(tmp_path))
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_the_mode_is_the_old_one_or_what_the_umask_leaves(way: str, tmp_path: Path) -> None:
    assert way
    old_mask = os.umask(0o027)
    try:
        for mode in (0o640, 0o600):
            with replacing(tmp_path / "out") as descriptor:
                os.write(descriptor, b"x")
            assert (tmp_path / "out").stat().st_mode & 0o777 == mode
            (tmp_path / "out").chmod(0o600)
    finally:
        os.umask(old_mask)


def test_a_failure_leaves_the_old_file(way: str, tmp_path: Path) -> None:
    assert way
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as descriptor:
        os.write(descriptor, b"new")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_two_at_once_are_both_whole(way: str, tmp_path: Path) -> None:
    assert way
    with replacing(tmp_path / "out") as one:
        os.write(one, b"one")
        with replacing(tmp_path / "out") as two:
            os.write(two, b"two")
        assert (tmp_path / "out").read_bytes() == b"two"
    assert (tmp_path / "out").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["out"]


def test_a_link_is_followed(way: str, tmp_path: Path) -> None:
    assert way
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as descriptor:
        os.write(descriptor, b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_a_name_as_long_as_names_can_be(way: str, tmp_path: Path) -> None:
    assert way
    target = tmp_path / ("ж" * 127)
    with replacing(target) as descriptor:
        os.write(descriptor, b"x")
    assert target.read_bytes() == b"x"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for place, message in [
        ("", "the output has an empty name"),
        (tmp_path, "is a directory"),
        (tmp_path / "fifo", "is not a regular file"),
        ("/dev/null", "is not a regular file"),
    ]:
        with pytest.raises(ManifestError, match=message), replacing(place):
            pass
    with pytest.raises(HostError, match="No such file or directory"), replacing(tmp_path / "no" / "out"):
        pass


def test_a_full_disk_when_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "out").write_bytes(b"old")
    monkeypatch.setattr(syscalls, "replace", full)
    with pytest.raises(HostError, match="No space left"), replacing(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.parametrize("durable", [False, True])
def test_whatever_goes_wrong_the_old_or_the_new_is_there(way: str, durable: bool, tmp_path: Path) -> None:
    assert way
    target = tmp_path / "out"

    def replace() -> None:
        with replacing(target, durable=durable) as descriptor:
            syscalls.pwrite(descriptor, b"new", 0)

    target.write_bytes(b"old")
    calls = count_calls(replace)
    found = set()
    for fault in every_fault(calls):
        target.write_bytes(b"old")
        with contextlib.suppress(Killed, OSError, HostError), inject(fault):
            replace()
        found.add(target.read_bytes())
        left = set(os.listdir(tmp_path)) - {"out"}
        assert fault.lasting or not left, fault
        for name in left:
            (tmp_path / name).unlink()
    assert b"old" in found <= {b"old", b"new"}


def test_what_is_durable_survives_a_power_cut(way: str, tmp_path: Path) -> None:
    assert way
    (tmp_path / "out").write_bytes(b"old")
    with recording(tmp_path) as tape, replacing(tmp_path / "out", durable=True) as descriptor:
        syscalls.pwrite(descriptor, b"new" * 1000, 0)
    outcomes = [
        {after_power_cut(tape, steps, random.Random(seed))["out"] for seed in range(20)}
        for steps in range(len(tape.steps) + 1)
    ]
    assert set().union(*outcomes) == {b"old", b"new" * 1000}
    assert outcomes[-1] == {b"new" * 1000}


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("this host has no nameless files")
    code = (
        "import os, sys, time\n"
        "from ntfsbuild.image.replacing import replacing\n"
        "with replacing(sys.argv[1]) as descriptor:\n"
        "    os.write(descriptor, b'x' * 100000)\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "out"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    time.sleep(0.05)
    assert os.listdir(tmp_path) == []
