"""The command line, and holders of an image, as processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.applying.bench import Bench
from tests.command import ROOT, environment, run

Done = subprocess.CompletedProcess[str]

_HOLD = """
import sys
from ntfsbuild import Volume
with Volume.open(sys.argv[1], sys.argv[2]) as volume:
    print("open", flush=True)
    sys.stdin.read()
"""


def ntfsbuild(*arguments: str | Path, killed_at: int | None = None) -> Done:
    """Run the command line, and kill it at one of its calls."""
    if killed_at is None:
        done = run(*arguments, cwd=ROOT)
    else:
        command = [sys.executable, "-m", "tests.image.faults", str(killed_at), "ntfsbuild", *arguments]
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            preexec_fn=_as_in_a_terminal,
        )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _as_in_a_terminal() -> None:
    """Whoever runs the tests in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def apply_arguments(subject: Bench) -> list[str | Path]:
    """The command line of the change."""
    how: list[str | Path] = []
    if subject.mode == "in place":
        how = ["--in-place"]
    if subject.output:
        how = ["-o", subject.output]
    return ["apply", subject.manifest.file, subject.image, *how]


@contextlib.contextmanager
def holding(image: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Another process has the volume open, until this is done or it is killed."""
    command = [sys.executable, "-c", _HOLD, os.fspath(image), mode]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment(), text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()
