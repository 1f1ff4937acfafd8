"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ntfsbuild.cli.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ntfsbuild.builder import Progress

_PERIOD_SECONDS = 0.1


@contextmanager
def shown_progress(settings: Settings, wanted: bool = True) -> Iterator[Callable[[Progress], None] | None]:
    """The function that a build reports its progress to; None if no bar is shown.

    The bar counts files and bytes: during one large file only the bytes grow.
    """
    if not wanted or settings.quiet or settings.json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[data]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("files", total=None, data="0 B")
        yield _throttled(lambda state: _update(bar, task, state))


def _throttled(show: Callable[[Progress], None]) -> Callable[[Progress], None]:
    due = 0.0

    def report(state: Progress) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due or state.files == state.files_total:
            due = now + _PERIOD_SECONDS
            show(state)

    return report


def _update(bar: Bar, task: TaskID, state: Progress) -> None:
    from ntfsbuild.report.words import size_text

    bar.update(task, completed=state.files, total=state.files_total, data=size_text(state.data_bytes))
