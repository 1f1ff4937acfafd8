"""The Linux kernel's ntfs3, in a virtual machine: no root, no loop device, no module on this machine.

`read_many` runs it once for up to a few dozen images, which are never written.  `write` lets the
driver write to an image in place; what it leaves there is for the other readers to judge.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.model import TICKS_1970, Entry, Geometry, Reader, Reading, Tree, lone_surrogates
from tests.oracle.ntfs3_vm.guest.changes import Change, pack
from tests.oracle.ntfs3_vm.machine import DISKS_MAX, Event, Session, boot

ABOUT_NTFS = re.compile(r"\bntfs3?\b", re.IGNORECASE)
KERNEL_FAULT = re.compile(
    r"I/O error|BUG:|WARNING: |Oops|general protection fault|KASAN|UBSAN|blocked for more than|soft lockup|"
    r"Call Trace|attempt to access beyond end|log records were lost|rcu.*stall|Out of memory"
)
WARNING_LEVEL = 4


def read_many(images: Sequence[Path]) -> list[Reading]:
    """One reading for each image, in as few runs as it takes."""
    readings: list[Reading] = []
    for start in range(0, len(images), DISKS_MAX):
        some = images[start : start + DISKS_MAX]
        session = boot(some, write=False)
        readings += [_reading(session, disk, "before") for disk in range(len(some))]
    return readings


def read(image: Path) -> Reading:
    return read_many([image])[0]


@dataclass(frozen=True, slots=True)
class Values:
    """What `stat` and `getfattr` say of a file; `values` by name: what ntfs3 makes up, and EAs."""

    mode: int
    owner: tuple[int, int]
    device: tuple[int, int]
    target: str | None
    values: dict[str, bytes]


def values(images: Sequence[Path]) -> list[dict[str, Values]]:
    """Of each image the values of all files by path, in one run."""
    session = boot(images, write=False, values=True)
    found: list[dict[str, Values]] = []
    for disk in range(len(images)):
        seen = [event for event in _of(session, disk) if event["e"] == "entry" and "values" in event]
        found.append({_path(event): _values(event) for event in seen})
    return found


def _values(event: Event) -> Values:
    (user, group), (major, minor) = event["owner"], event["device"]
    by_name = {name: bytes.fromhex(value) for name, value in event["values"].items()}
    return Values(event["mode"], (user, group), (major, minor), event.get("target"), by_name)


def write(image: Path) -> Reading:
    """Let ntfs3 change the image; the entries are those that it finds after mounting it again."""
    session = boot([image], write=True)
    reading = _reading(session, 0, "after")
    before = _reading(session, 0, "before").entries
    assert reading.entries is not None and before is not None
    reading.complaints += _unlike_written(before, reading.entries, _of(session, 0))
    return reading


def change(cases: Sequence[tuple[Path, Sequence[Change]]]) -> list[Reading]:
    """Let ntfs3 carry out changes, in place; each entry is what it finds after mounting the image again."""
    readings: list[Reading] = []
    for start in range(0, len(cases), DISKS_MAX):
        some = cases[start : start + DISKS_MAX]
        changes = pack([changes for _, changes in some])
        session = boot([image for image, _ in some], write=True, changes=changes)
        readings += [_reading(session, disk, "after") for disk in range(len(some))]
    return readings


def _of(session: Session, disk: int) -> list[Event]:
    return [event for event in session.events if event["d"] == disk]


def _reading(session: Session, disk: int, phase: str) -> Reading:
    events = _of(session, disk)
    reading = Reading(entries={})
    assert reading.entries is not None
    current = ""
    for event in events:
        match event["e"]:
            case "phase":
                current = event["name"]
            case "entry" if current == phase:
                reading.entries[_path(event)] = _entry(event)
            case "fault":
                reading.complaints.append(f"{event['what']}: {event['p']!a}: {event['text']}")
            case "log" if _is_fault(event):
                reading.complaints.append(f"kernel: {event['text']}")
    if not any(event["e"] == "done" for event in events):
        reading.complaints.append(f"{session.ending}; at {_last_place(events)}")
        reading.complaints += session.console[-5:]
    return reading


def _is_fault(event: Event) -> bool:
    """Everything from a warning up that the driver says, and whatever sounds like a broken kernel."""
    driver = ABOUT_NTFS.search(event["text"]) and event["level"] <= WARNING_LEVEL
    return bool(driver or KERNEL_FAULT.search(event["text"]))


def _last_place(events: list[Event]) -> str:
    return next((ascii(event["p"]) for event in reversed(events) if "p" in event), "the start")


def _path(event: Event) -> str:
    raw = str(event["p"]).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape").removeprefix("/")


def _entry(event: Event) -> Entry:
    if "t" not in event:  # One of a crowd, only listed.
        return Entry(kind=event["kind"], record=event["ino"])
    modified, accessed, changed = (_ticks(nanoseconds) for nanoseconds in event["t"])
    return Entry(
        kind=event["kind"],
        size=event.get("size"),
        sha256=event.get("sha256"),
        created=_ticks(event["created"]) if event.get("created") is not None else None,
        modified=modified,
        changed=changed,
        accessed=accessed,
        attributes=event.get("attributes"),
        links=event["links"] if event["kind"] == "file" else None,
        record=event["ino"],
        target=event.get("target"),
    )


def _ticks(nanoseconds: int) -> int:
    return TICKS_1970 + nanoseconds // 100


def _unlike_written(before: Tree, after: Tree, events: list[Event]) -> list[str]:
    """What was there is still there, unchanged; what was written is there as it was written."""
    made = {_path(event) for event in events if event["e"] == "made"}
    expected = {_path(event): event for event in events if event["e"] == "expected"}
    faults = [f"{path!a} was lost" for path in before.keys() - after.keys()]
    faults += [f"{path!a} appeared" for path in after.keys() - before.keys() - made - expected.keys()]
    for path, entry in after.items():
        if path in expected:
            wanted = expected[path]
            if (entry.size, entry.sha256) != (wanted["size"], wanted["sha256"]):
                faults.append(f"{path!a}: not what was written")
        elif path in before and entry != before[path]:
            faults.append(f"{path!a}: {before[path]} became {entry}")
    return faults


def refuses(geometry: Geometry, paths: Collection[str]) -> str | None:
    return lone_surrogates(paths)


TOOLS = ("qemu-system-x86_64", "busybox", "ldd", "zstd", "ntfs3")
READERS = (Reader("ntfs3", TOOLS, read, refuses, read_many=read_many),)
