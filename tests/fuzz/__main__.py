"""`python -m tests.fuzz MINUTES [TARGET]`: with atheris where it is installed, else by the mutators alone."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.running import kept, numbered, tried
from tests.fuzz.targets import TARGETS

GUIDED = "--guided"


def main() -> int:
    if sys.argv[1] == GUIDED:
        guided(sys.argv[2], int(sys.argv[3]))
    minutes, names = float(sys.argv[1]), sys.argv[2:] or list(TARGETS)
    wrong = 0
    for name in names:
        seconds = 60 * minutes / len(names)
        if importlib.util.find_spec("atheris"):
            command = [sys.executable, "-m", "tests.fuzz", GUIDED, name, str(max(1, int(seconds)))]
            wrong += subprocess.run(command, check=False).returncode != 0
            continue
        begin = random.randrange(1 << 40)
        done, taken, failed = numbered(name, range(begin, begin + (1 << 40)), seconds)
        print(f"{name}: {done} inputs from {begin}, {taken} taken, {len(failed)} failed")
        wrong += len(failed)
    return 1 if wrong else 0


def guided(name: str, seconds: int) -> None:
    """Let coverage choose which inputs are changed further; does not return."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            tried(name, data)
        except BaseException:
            kept(name, data)
            raise

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        return (target.mutate(data, rng) if data and rng.randrange(4) else atheris.Mutate(data, most))[:most]

    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(target.seeds()):
            (Path(corpus) / str(number)).write_bytes(data)
        options = [f"-max_total_time={seconds}", "-max_len=100000", "-timeout=60", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], corpus, *options], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
