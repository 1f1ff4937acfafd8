"""A failure made as small as it gets, and told as a manifest to be kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from tests.model.bench import Bench
from tests.model.history import History
from tests.model.steps import Step

SECONDS_MAX = 200
_NO_STEPS = ("commit", "abandon")


@contextlib.contextmanager
def telling(bench: Bench, *, slowly: bool = False) -> Iterator[None]:
    """Let what fails say which events are enough for that; `slowly` asks the slow readers, too."""
    try:
        yield
    except Exception as error:
        if bench.failed:
            print(f"{error}\nAfter {len(bench.failed)} events; now for fewer of them.")
            events = smallest(bench.failed, lambda fewer: _fails(bench, fewer, slowly))
            error.add_note(advice(bench, events))
        raise


def judge_together(bench: Bench, histories: Sequence[History]) -> None:
    """Let the slow readers judge everything at once, and find out where they find fault."""
    try:
        bench.judge.together([case for history in histories for case in history.cases()])
    except AssertionError:
        bench.failed = next((one.events for one in histories if _is_found_fault_with(bench, one)), None)
        raise


def _fails(bench: Bench, events: list[Step], slowly: bool) -> bool:
    history = History(bench)
    try:
        for event in events:
            history.do(event)
        history.finish()
        return slowly and _is_found_fault_with(bench, history)
    except Exception:
        return True
    finally:
        history.remove()


def _is_found_fault_with(bench: Bench, history: History) -> bool:
    try:
        bench.judge.together(history.cases())
    except AssertionError:
        return True
    return False


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
