"""The `clock` section: the times of steps without a `time`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ntfsbuild.manifest.metadata import parse_time
from ntfsbuild.manifest.model import Clock, Step
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk.filetime import TICKS_MAX, TICKS_PER_SECOND

_DEFAULT_STEP_TICKS: Final = TICKS_PER_SECOND
_NS_PER_TICK: Final = 100
_UNITS: Final = {  # In nanoseconds.
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_DURATION = re.compile(rf"(0|[1-9][0-9]{{0,39}})(?:\.([0-9]{{1,39}}))?({'|'.join(_UNITS)})")


def parse_duration(text: str) -> int:
    """The ticks of `1s`, `100ns`, `2.5h`."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{shown(text)} is not a duration (1s, 100ms or 2.5h)")
    whole, fraction, unit = match.groups()
    scale = _NS_PER_TICK * int(f"1{'0' * len(fraction or '')}")
    ticks, rest = divmod(int(whole + (fraction or "")) * _UNITS[unit], scale)
    if rest:
        raise ValueError(f"{shown(text)} is not a whole number of 100 ns, in which NTFS counts")
    if ticks > TICKS_MAX:
        raise ValueError(f"{shown(text)} is longer than all times that NTFS holds")
    return ticks


def read_clock(values: Values, clock: Node, steps: Sequence[Step]) -> Clock:
    """The mapping under `clock`; the time of the last step must not be later than NTFS can store."""
    start = values.read(clock, "start", parse_time) or 0
    step = values.read(clock, "step", parse_duration)
    step_ticks = _DEFAULT_STEP_TICKS if step is None else step
    timed = [number for number, one in enumerate(steps) if one.ticks is None]
    if timed and start + timed[-1] * step_ticks > TICKS_MAX:
        blamed = values.child(clock, "step") if "step" in clock.data else clock
        values.say(blamed, f"steps[{timed[-1]}] would be later than all times that NTFS holds")
    return Clock(start, step_ticks)
