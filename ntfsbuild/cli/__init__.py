"""The command line: arguments in, text or JSON out, progress, exit codes.

The only reader of argv, the environment and the terminal.

app.py       the group of all commands, and the options that several have
commands.py  the module of each command, imported when it is run
building.py  build, validate, plan, execute
changing.py  apply
reading.py   ls, tree, cat, stat
verifying.py verify
failures.py  the message of an error, and its exit code
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ntfsbuild.cli.settings import PROGRAM, Settings
from ntfsbuild.cli.streams import flush_output, say, use_utf8

_YOUNG_OBJECTS = 50_000  # Python collects garbage after 700; a start alone makes forty times as many.
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    """A signal asked us to stop; what is half done is cleaned up while this passes by."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process, and return its exit code."""
    code = _main(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        gc.freeze()  # The process ends: nobody needs to look for garbage in what is left.
    return code


def _main(arguments: Sequence[str]) -> int:
    settings = Settings()
    gc.set_threshold(_YOUNG_OBJECTS)
    use_utf8()
    try:
        with _signals_raised():
            return _run(arguments, settings)
    except _Stopped as stopped:
        if not settings.quiet:
            say(f"{PROGRAM}: stopped by {signal.Signals(stopped.number).name}")
        return 128 + stopped.number


def _run(arguments: Sequence[str], settings: Settings) -> int:
    try:
        from ntfsbuild.cli.commands import run

        code = run(list(arguments), settings)
        flush_output()
    except Exception as error:
        from ntfsbuild.cli.failures import report

        return report(error, settings)
    return code


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Signals that ask to stop become an exception, once; what was ignored (nohup) stays ignored."""
    former = {}
    for number in _STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            former[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)  # A second one must not disturb the cleaning up.
    raise _Stopped(number)
