"""One boot of QEMU with a list of images as disks; the agent's events come back in a file."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle.model import Geometry
from tests.oracle.ntfs3_vm.initramfs import initramfs
from tests.oracle.ntfs3_vm.kernel import kernel

DISKS_MAX = 24  # The machine has 32 PCI slots.
BOOT_ATTEMPTS = 3
BOOT_SECONDS = 180
SILENT_SECONDS = 120  # The agent says something every second: the kernel hangs.
STUCK_SECONDS = 240  # It does, but nothing moves on: a system call hangs.
TOTAL_SECONDS = 1800
# preempt=full lets the agent's other thread run while the driver loops; the rest only saves time.
COMMAND_LINE = (
    "console=ttyS0 loglevel=5 log_buf_len=8M panic=-1 oops=panic preempt=full nokaslr mitigations=off "
    "printk.devkmsg=on random.trust_cpu=on cryptomgr.notests "
    "initcall_blacklist=jent_mod_init,load_system_certificate_list,bpf_tcp_ca_kfunc_init"
)
Event = dict[str, Any]


@dataclass(slots=True)
class Session:
    """What came out of one boot."""

    events: list[Event] = field(default_factory=list)
    ending: str | None = None  # Why the agent did not come to its end.
    console: list[str] = field(default_factory=list)


def boot(
    images: Sequence[Path], *, write: bool, changes: bytes | None = None, values: bool = False
) -> Session:
    """Read every image; with `write`, also write to it, in place, what `changes` say if they are given.

    With `values`, entries carry their extended attributes, owner, mode and device.

    On a busy host the emulated kernel now and then panics while it starts, before it sees a disk.
    """
    session = Session()
    for _ in range(BOOT_ATTEMPTS):
        session = _boot(images, write, changes, values)
        if session.events:
            break
    return session


def _boot(images: Sequence[Path], write: bool, changes: bytes | None, values: bool) -> Session:
    assert 0 < len(images) <= DISKS_MAX
    with tempfile.TemporaryDirectory(prefix="ntfs3-vm-") as folder:
        work = Path(folder)
        command = _command(images, work, write, values)
        if changes is not None:
            (work / "changes").write_bytes(changes)
            command += ["-drive", f"file={work}/changes,format=raw,if=none,id=changes,readonly=on"]
            command += ["-device", "virtio-blk-pci,drive=changes,serial=changes"]
        with (work / "qemu.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                ending = _watch(process, work / "events", work / "console")
            finally:
                process.kill()
                process.wait()
        return _session(work, ending)


def _command(images: Sequence[Path], work: Path, write: bool, values: bool) -> list[str]:
    booted = kernel()
    task = json.dumps({"disks": len(images), "write": write, "values": values}).encode().hex()
    accelerator = ["-accel", "kvm", "-cpu", "host"] if _kvm_works() else ["-accel", "tcg", "-cpu", "max"]
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot"]
    command += ["-nic", "none", "-M", "pc", *accelerator, "-m", "512", "-rtc", "base=utc"]
    command += ["-kernel", str(booted.image), "-initrd", str(initramfs(booted))]
    command += ["-append", f"{COMMAND_LINE} oracle={task}", "-serial", f"file:{work}/console"]
    command += ["-chardev", f"file,id=out,path={work}/events", "-device", "virtio-serial-pci"]
    command += ["-device", "virtserialport,chardev=out,name=oracle"]
    for number, image in enumerate(images):
        sector = _sector(image)
        link = work / f"disk{number}"  # A name without characters that QEMU interprets.
        link.symlink_to(image.absolute())
        snapshot = "off" if write else "on"
        command += [
            "-drive",
            f"file={link},file.locking=off,format=raw,if=none,id=d{number},snapshot={snapshot},cache=unsafe",
        ]
        command += ["-device", f"virtio-blk-pci,drive=d{number},serial=disk{number}"]
        command[-1] += f",logical_block_size={sector},physical_block_size={sector}"
    return command


def _sector(image: Path) -> int:
    try:
        sector = Geometry.of(image).sector
    except ValueError:
        return 512
    return sector if sector in (512, 1024, 2048, 4096) else 512


def _kvm_works() -> bool:
    """A /dev/kvm on a processor without virtualization only emulates, and not a stock kernel."""
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    virtual = bool(flags and {"vmx", "svm"} & set(flags[1].split()))
    return virtual and os.access("/dev/kvm", os.R_OK | os.W_OK)


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
