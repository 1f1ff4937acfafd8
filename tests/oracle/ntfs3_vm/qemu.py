"""The virtual machine as QEMU is told of it."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.oracle.model import Geometry
from tests.oracle.ntfs3_vm.initramfs import initramfs
from tests.oracle.ntfs3_vm.kernel import kernel

DISKS_MAX = 24  # The machine has 32 PCI slots.
# preempt=full lets the agent's other thread run while the driver loops; the rest only saves time.
COMMAND_LINE = (
    "console=ttyS0 loglevel=5 log_buf_len=8M panic=-1 oops=panic preempt=full nokaslr mitigations=off "
    "printk.devkmsg=on random.trust_cpu=on cryptomgr.notests "
    "initcall_blacklist=jent_mod_init,load_system_certificate_list,bpf_tcp_ca_kfunc_init"
)


@contextlib.contextmanager
def running(parts: Sequence[str], work: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """It reads its task from the file of that name."""
    with (work / "qemu.log").open("wb") as log, (work / "task").open("rb") as task:
        process = subprocess.Popen(parts, stdin=task, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def command(work: Path, disks: Sequence[tuple[str, str]]) -> list[str]:
    """The same machine whatever the disks are: what one was saved with, another goes on with."""
    booted = kernel()
    accelerator = ["-accel", "kvm", "-cpu", "host"] if _kvm_works() else ["-accel", "tcg", "-cpu", "max"]
    parts = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot"]
    parts += ["-nic", "none", "-M", "pc", *accelerator, "-m", "512", "-rtc", "base=utc"]
    parts += ["-kernel", str(booted.image), "-initrd", str(initramfs(booted))]
    parts += ["-append", COMMAND_LINE, "-serial", f"file:{work}/console"]
    parts += ["-chardev", f"file,id=out,path={work}/events", "-device", "virtio-serial-pci"]
    parts += ["-device", "virtserialport,chardev=out,name=oracle"]
    task = "stdio,id=in,signal=off" if disks else "null,id=in"
    parts += ["-chardev", task, "-device", "virtserialport,chardev=in,name=task"]
    for number in range(DISKS_MAX):
        device = f"virtio-blk-pci,drive=d{number}"
        drive, more = disks[number] if number < len(disks) else ("driver=null-co,size=1M", "")
        parts += ["-drive", f"if=none,id=d{number},{drive}", "-device", device + more]
    return parts


def disk(work: Path, number: int, image: Path, write: bool) -> tuple[str, str]:
    """What QEMU is told of its drive, and of its device."""
    sector = _sector(image)
    link = work / f"disk{number}"  # A name without characters that QEMU interprets.
    link.symlink_to(image.absolute())
    snapshot = "off" if write else "on"
    drive = f"file={link},file.locking=off,format=raw,snapshot={snapshot},cache=unsafe"
    return drive, f",serial=disk{number},logical_block_size={sector},physical_block_size={sector}"


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
