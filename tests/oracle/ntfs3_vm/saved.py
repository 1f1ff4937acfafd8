"""The machine as it is once it has booted: to go on from there takes a tenth of the time."""

import functools
import hashlib
import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.oracle.ntfs3_vm.kernel import cache_folder, locked, remove_unused
from tests.oracle.ntfs3_vm.qemu import command, running
from tests.oracle.tools import run, text

ATTEMPTS = 3
SECONDS = 180


def saved() -> Path:
    """A file from which QEMU goes on, with the agent waiting for its task; made once for each machine.

    No disk was seen yet: the driver of disks is loaded with the task.
    """
    key = hashlib.sha256(json.dumps([_version(), command(Path("/"), [])]).encode()).hexdigest()
    with locked(cache_folder()) as cache:
        final = cache / f"{key[:24]}.state"
        for _ in range(ATTEMPTS):
            if final.exists():
                os.utime(final)
                return final
            remove_unused(cache.glob("*.state"))
            _boot_and_save(final)
    raise OSError("the virtual machine does not start")


@functools.cache
def _version() -> str:
    return text(run(["qemu-system-x86_64", "--version"]).stdout)


def _boot_and_save(final: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".start-", dir=final.parent) as folder:
        work = Path(folder)
        (work / "task").touch()
        monitor = ["-qmp", f"unix:{work}/monitor,server=on,wait=off"]
        with running([*command(work, []), *monitor], work) as process:
            if _is_up(process, work / "events"):
                _save(work / "monitor", work / "state")
                os.replace(work / "state", final)


def _is_up(process: "subprocess.Popen[bytes]", events: Path) -> bool:
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        if events.exists() and events.stat().st_size:
            return True
        time.sleep(0.05)
    return False


def _save(monitor: Path, state: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(monitor))
        with connection.makefile("rw") as lines:

            def ask(name: str, **arguments: object) -> Any:
                lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                lines.flush()
                while True:  # Events come in between.
                    answer = json.loads(lines.readline())
                    assert "error" not in answer, answer
                    if "return" in answer:
                        return answer["return"]

            ask("qmp_capabilities")
            ask("migrate", uri=f"exec:cat > {state}")
            while (status := ask("query-migrate")["status"]) != "completed":
                assert status != "failed"
                time.sleep(0.1)
