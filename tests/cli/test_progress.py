"""The progress bar, on something that says it is a terminal."""

from __future__ import annotations

import io
import sys
import time

import pytest

from ntfsbuild.cli.progress import shown_progress
from ntfsbuild.cli.settings import Settings
from ntfsbuild.executor import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_total_comes_first_and_bytes_grow_within_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with shown_progress(Settings()) as report:
        assert report is not None
        report(Progress(0, 1, 0))
        time.sleep(0.3)
        first = terminal.getvalue()
        report(Progress(0, 1, 64 << 20))
        report(Progress(0, 1, 65 << 20))  # Too soon after the one before.
    assert "0/1" in first and "0 B" in first and "MiB" not in first
    assert "64 MiB" in terminal.getvalue() and "65 MiB" not in terminal.getvalue()


@pytest.mark.parametrize("option", ["quiet", "json"])
def test_who_wants_silence_or_data_sees_no_bar(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    settings = Settings()
    setattr(settings, option, True)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with shown_progress(settings) as report:
        assert report is None
    assert terminal.getvalue() == ""
