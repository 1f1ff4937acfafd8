"""One run of QEMU with a list of images as disks; the agent's events come back in a file."""

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle.ntfs3_vm.qemu import DISKS_MAX, command, disk, running
from tests.oracle.ntfs3_vm.saved import saved

BOOT_ATTEMPTS = 3
BOOT_SECONDS = 180
SILENT_SECONDS = 120  # The agent says something every second: the kernel hangs.
STUCK_SECONDS = 240  # It does, but nothing moves on: a system call hangs.
TOTAL_SECONDS = 1800
Event = dict[str, Any]


@dataclass(slots=True)
class Session:
    """What came out of one run."""

    events: list[Event] = field(default_factory=list)
    ending: str | None = None  # Why the agent did not come to its end.
    console: list[str] = field(default_factory=list)


def boot(
    images: Sequence[Path], *, write: bool, changes: Sequence[object] | None = None, values: bool = False
) -> Session:
    """Read every image; with `write`, also write to it, in place, what `changes` say if they are given.

    With `values`, entries carry their extended attributes, owner, mode and device in place of their content.

    On a busy host the emulated kernel now and then panics before it sees a disk.
    """
    session = Session()
    for _ in range(BOOT_ATTEMPTS):
        session = _boot(images, write, changes, values)
        if session.events:
            break
    return session


def _boot(images: Sequence[Path], write: bool, changes: Sequence[object] | None, values: bool) -> Session:
    assert 0 < len(images) <= DISKS_MAX
    task = {"disks": len(images), "write": write, "values": values, "changes": changes, "now": time.time_ns()}
    with tempfile.TemporaryDirectory(prefix="ntfs3-vm-") as folder:
        work = Path(folder)
        (work / "task").write_text(json.dumps(task) + "\n")
        disks = [disk(work, number, image, write) for number, image in enumerate(images)]
        with running([*command(work, disks), "-incoming", f"exec:cat {saved()}"], work) as process:
            ending = _watch(process, work / "events", work / "console")
        return _session(work, ending)


def _watch(process: "subprocess.Popen[bytes]", events: Path, console: Path) -> str | None:
    start = seen = moved = time.monotonic()
    size, state = -1, b""
    while process.poll() is None:
        time.sleep(0.05)
        now = time.monotonic()
        grown = sum(path.stat().st_size for path in (events, console) if path.exists())
        if grown != size:
            size, seen = grown, now
            beats = [line for line in _tail(events) if line.startswith(b'{"e":"alive"')]
            if not beats or beats[-1] != state:
                state, moved = beats[-1] if beats else b"", now
        up = events.exists() and events.stat().st_size > 0
        if now - start > TOTAL_SECONDS:
            return f"no result in {TOTAL_SECONDS} s"
        if not up and now - start > BOOT_SECONDS:
            return f"no sign of life in {BOOT_SECONDS} s"
        if up and now - seen > SILENT_SECONDS:
            return f"the kernel was silent for {SILENT_SECONDS} s"
        if up and now - moved > STUCK_SECONDS:
            return f"no progress for {STUCK_SECONDS} s"
    return None


def _tail(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    with path.open("rb") as f:
        f.seek(max(0, path.stat().st_size - 4000))
        return [line for line in f.read().splitlines() if line.endswith(b"}")]


def _session(work: Path, ending: str | None) -> Session:
    session = Session(ending=ending)
    events = work / "events"
    for line in events.read_bytes().splitlines() if events.exists() else []:
        try:
            session.events.append(json.loads(line))
        except ValueError:  # The last line of a machine that was killed.
            session.ending = session.ending or "the machine stopped in the middle of a line"
    last = session.events[-1] if session.events else {}
    if last.get("e") != "end":
        session.ending = session.ending or "the machine ended early"
    elif last["lines"] != len(session.events):
        session.ending = f"{last['lines']} events were sent, {len(session.events)} arrived"
    for name in ("console", "qemu.log"):
        path = work / name
        lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        session.console += [line.strip() for line in lines if line.strip()]
    return session
