"""Under which of its names a file was made, told from record numbers alone."""

from __future__ import annotations

import pytest

from ntfsbuild.capturing.first_names import first_names


@pytest.mark.parametrize(
    ("walked", "expected"),
    [
        ([], {}),
        ([("/a", 64), ("/b", 65)], {}),
        # Records follow the names: 65 stands between /b and /m, or behind /m.
        ([("/b", 64), ("/c", 65), ("/m", 66), ("/z", 65)], {65: "/c"}),
        ([("/a", 66), ("/b", 64), ("/m", 65), ("/z", 66)], {66: "/z"}),
        # The file of a directory comes before all that is in directories below it.
        ([("/d/x", 65), ("/a", 64), ("/z", 65)], {65: "/z"}),
        ([("/a", 64), ("/z", 65), ("/d/x", 66), ("/d/y", 67), ("/k", 67)], {67: "/d/y"}),
        # Where no name fits, the first one that was walked is as good as any.
        ([("/b", 70), ("/c", 64), ("/a", 60), ("/m", 71), ("/d", 64)], {64: "/c"}),
    ],
)
def test_the_name_that_fits_between_its_neighbours(
    walked: list[tuple[str, int]], expected: dict[int, str]
) -> None:
    assert first_names(walked) == expected


def test_files_of_several_names_stand_in_a_line_too() -> None:
    """Both could have been made under both of their names; only in one way are they in order."""
    walked = [("/a", 64), ("/b", 65), ("/c", 64), ("/d", 65)]
    assert first_names(walked) == {64: "/a", 65: "/b"}
