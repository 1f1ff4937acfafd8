"""Steps as a manifest has them: plain mappings, whose meaning is worked out here without ntfsbuild."""

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Step = dict[str, Any]

OPERATIONS = ("write", "append", "truncate", "rename", "link", "delete", "mkdir", "touch", "set", "label")
TIMES = ("created", "modified", "changed", "accessed")
ATTRIBUTES = {
    "readonly": 0x1,
    "hidden": 0x2,
    "system": 0x4,
    "archive": 0x20,
    "temporary": 0x100,
    "offline": 0x1000,
    "not_content_indexed": 0x2000,
}
TICKS_PER_SECOND = 10_000_000
CLOCK = "2024-01-01T00:00:00Z"  # One second a step.

_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}
_FILL_BYTES = 1 << 20


def operation_of(step: Step) -> str:
    return next(key for key in step if key in OPERATIONS)


def ticks_of(text: str) -> int:
    """The FILETIME of a UTC time with up to seven digits behind the point."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    since = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC) - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return seconds * TICKS_PER_SECOND + int((fraction or "0").ljust(7, "0"))


def times_of(step: Step) -> list[int | None]:
    """The four times that a step says; None where it does not."""
    said = step.get("times")
    if said is None:
        return [None] * 4
    each = said if isinstance(said, dict) else dict.fromkeys(TIMES, said)
    return [ticks_of(each[name]) if name in each else None for name in TIMES]


def time_of(step: Step, number: int) -> int:
    """When a step happens: at its own time, else when the clock says."""
    if "time" in step:
        return ticks_of(step["time"])
    return ticks_of(CLOCK) + number * TICKS_PER_SECOND


def attributes_of(step: Step) -> int | None:
    return sum(ATTRIBUTES[name] for name in step["attributes"]) if "attributes" in step else None


def size_of(said: int | str) -> int:
    found = re.fullmatch("([0-9]+)([KM]iB)?", str(said))
    assert found, f"{said!r} is not a size that the tests know"
    return int(found[1]) * _UNITS[found[2] or ""]


def content_of(step: Step) -> bytes:
    """What a step writes."""
    if "text" in step:
        return str(step["text"]).encode()
    if "hex" in step:
        return bytes.fromhex(step["hex"])
    size = size_of(step["size"])
    return _random(size, step.get("seed", 0)) if step.get("fill") == "random" else bytes(size)


def _random(size_bytes: int, seed: int) -> bytes:
    """Block k of 1 MiB is SHAKE-128 of "seed/k"."""
    blocks = range(0, size_bytes, _FILL_BYTES)
    return b"".join(
        hashlib.shake_128(b"%d/%d" % (seed, k)).digest(min(_FILL_BYTES, size_bytes - at))
        for k, at in enumerate(blocks)
    )


# ---- manifests


class Found(NamedTuple):
    """A manifest that was kept: what it changes, and after how many steps it commits, the end left out."""

    volume: dict[str, Any]
    steps: list[Step]
    posix_names: bool
    commits: list[int]


_COMMITS = re.compile(r"^# Commits after so many steps:(.*)$", re.MULTILINE)


def manifest_text(
    volume: str, steps: Iterable[Step], commits: Sequence[int] = (), *, posix_names: bool = False
) -> str:
    """A manifest; `volume` is a flow mapping.  The commits are told to the tests alone."""
    lines = [f"# Commits after so many steps: {', '.join(map(str, commits))}"] if commits else []
    lines += ["ntfsbuild: 1", f"volume: {volume}", f'clock: {{start: "{CLOCK}", step: 1s}}']
    if posix_names:
        lines.append("defaults: {names: posix}")
    shown = [f"  - {json.dumps(step, ensure_ascii=False)}" for step in steps]
    return "\n".join([*lines, "steps:" if shown else "steps: []", *shown, ""])


def read_manifest(path: Path) -> Found:
    """A manifest whose clock is the usual one."""
    text = path.read_text("utf-8")
    data = yaml.safe_load(text)
    assert data["clock"] == {"start": CLOCK, "step": "1s"}, f"{path.name}: say the time beside a step instead"
    commits = _COMMITS.search(text)
    numbers = [int(one) for one in commits[1].split(",")] if commits else []
    posix_names = data.get("defaults", {}).get("names") == "posix"
    return Found(data["volume"], data["steps"], posix_names, numbers)
