"""How far an execution is, and errors with their place in the manifest."""

from __future__ import annotations

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.executor.progress import PROGRESS_EVERY_FILES, Progress, ProgressCounter, placed


def test_files_are_reported_now_and_then() -> None:
    seen: list[Progress] = []
    counter = ProgressCounter(seen.append, 2000)
    for _ in range(PROGRESS_EVERY_FILES * 2 + 1):
        counter.file_done()
    assert [one.files for one in seen] == [PROGRESS_EVERY_FILES, 2 * PROGRESS_EVERY_FILES]
    assert seen[0] == Progress(PROGRESS_EVERY_FILES, 2000, 0)


def test_an_error_without_a_place_says_the_path() -> None:
    error = placed(VolumeError("is there already"), "m.yaml", 0, "tree/a")
    assert isinstance(error, ManifestError) and str(error) == "tree/a: is there already"
    assert placed(error, "m.yaml", 0, "") is not error
