"""Runs a target: inputs by number, so that each can be made again, or inputs that coverage leads to."""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"
SECONDS_MAX = 60  # For one input; they are small.
FILE_BYTES_MAX = 8 << 30  # Most of it holes.


class TooSlow(BaseException):
    """An input takes longer than its size lets expect; no `except Exception` may hide it."""


@contextmanager
def bounds() -> Iterator[None]:
    """Neither endless time nor a full disk: a plan may ask for a volume of 8 EiB."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, before[1]))
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_MAX)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def made(name: str, number: int) -> bytes:
    """The input with this number: a seed, changed once or more."""
    target, rng = TARGETS[name], random.Random(f"{name}/{number}")
    data = rng.choice(target.seeds())
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = target.mutate(data, rng)
    return data


def tried(name: str, data: bytes) -> bool:
    """Feed a target; whether it took the input.  Raises what a target must not raise."""
    with tempfile.TemporaryDirectory() as folder, bounds():
        return TARGETS[name].run(data, Path(folder))


def numbered(name: str, numbers: range, seconds: float = float("inf")) -> tuple[int, int, list[Path]]:
    """Try inputs by their numbers; how many were tried, how many taken, and where those that failed lie."""
    end, done, taken = time.monotonic() + seconds, 0, 0
    failed = []
    for number in numbers:
        if time.monotonic() > end:
            break
        data = made(name, number)
        done += 1
        try:
            taken += tried(name, data)
        except (Exception, TooSlow) as failure:
            failed.append(kept(name, data))
            print(
                f"{name}/{number}: {type(failure).__name__}: {str(failure)[:200]}: {failed[-1]}", flush=True
            )
    return done, taken, failed


def kept(name: str, data: bytes) -> Path:
    """The file of an input that failed, which the tests run from now on."""
    path = FOUND / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
