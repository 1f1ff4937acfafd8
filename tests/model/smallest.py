"""A failure made as small as it gets, and told as a manifest to be kept."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence

from tests.model.bench import Bench
from tests.model.history import History
from tests.model.judging import FOREIGN
from tests.model.steps import Step

SECONDS_MAX = 200
FOREIGN_TOGETHER = "The foreign readers find fault:"
_IMAGE = re.compile(r"\S+ \(sector [^)]*\): ")  # What stands before the reader when there are several.
_NO_STEPS = ("commit", "abandon")


@contextlib.contextmanager
def telling(bench: Bench, *, slowly: bool = False) -> Iterator[None]:
    """Let what fails say which events are enough for that; `slowly` asks the slow readers, too."""
    try:
        yield
    except Exception as error:
        if bench.failed:
            whole = bench.folder / "failed.yaml"
            whole.write_text(advice(bench, bench.failed), "utf-8")
            print(
                f"{error}\nThe whole history is in {whole}; now for fewer of its {len(bench.failed)} events."
            )
            known = complainants(error)
            events = smallest(bench.failed, lambda fewer: bool(known & _fails(bench, fewer, slowly)))
            error.add_note(advice(bench, events))
        raise


def complainants(error: Exception | None) -> set[str]:
    """Who finds fault: another reader would be another failure."""
    if error is None:
        return set()
    first, *lines = str(error).splitlines() or [""]
    if lines and first in (FOREIGN, FOREIGN_TOGETHER):
        return {_IMAGE.sub("", line).partition(":")[0] for line in lines}
    return {f"{type(error).__name__} {first[:25]}"}


def judge_together(bench: Bench, histories: Sequence[History]) -> None:
    """Let the slow readers judge everything at once, and find out where they find fault."""
    try:
        bench.judge.together([case for history in histories for case in history.cases()])
    except AssertionError:
        bench.failed = next((one.events for one in histories if _fault_of(bench, one)), None)
        raise


def _fails(bench: Bench, events: list[Step], slowly: bool) -> set[str]:
    history = History(bench)
    try:
        for event in events:
            history.do(event)
        history.finish()
        return complainants(_fault_of(bench, history) if slowly else None)
    except Exception as error:
        return complainants(error)
    finally:
        history.remove()


def _fault_of(bench: Bench, history: History) -> AssertionError | None:
    try:
        bench.judge.together(history.cases())
    except AssertionError as error:
        return error
    return None


def smallest(events: Sequence[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """Leave out halves, then quarters, and so on, as long as it still fails."""
    left, size, end = list(events), len(events) // 2, time.monotonic() + SECONDS_MAX
    while size and time.monotonic() < end:
        at = 0
        while at < len(left) and time.monotonic() < end:
            fewer = left[:at] + left[at + size :]
            if fails(fewer):
                left = fewer
            else:
                at += size
        size //= 2
    return left


def advice(bench: Bench, events: Sequence[Step]) -> str:
    """The manifest; what it cannot say (giving up, and what is refused) is told beside it."""
    history = History(bench)
    try:
        with contextlib.suppress(Exception):
            for event in events:
                history.do(event)
    finally:
        history.remove()
    steps = [event for event in events if not any(word in event for word in _NO_STEPS)]
    text = bench.advice(steps, commits_of(events))
    if history.steps == steps or history.has_failed:
        return text
    return f"{text}\nThe steps that were refused or given up belong to it: {list(events)}"


def commits_of(events: Sequence[Step]) -> list[int]:
    """After how many steps there is a commit."""
    found, count = [], 0
    for event in events:
        if "commit" in event:
            found.append(count)
        elif "abandon" not in event:
            count += 1
    return found
