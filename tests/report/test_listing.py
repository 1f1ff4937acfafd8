"""The lines of a listing are put together by hand: they must be what `json` makes of the same data."""

from __future__ import annotations

import json

import pytest

from ntfsbuild.report.listing import Listed, listed_data, listed_line

PATHS = ["/", "/a", "/d/a", '/d/a"b\\c', "/ü/日\U0001f600\x7f\x01\t", "/d/", "/a/\ud800"]
TIMES = [(0, 1, 1 << 63, (1 << 64) - 1), (133_000_000_000_000_000,) * 4]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("attributes", [0, 0x20, 0x80000021])
def test_a_line_is_the_data_as_json(path: str, times: tuple[int, int, int, int], attributes: int) -> None:
    for is_directory in (False, True):
        item = Listed(path, is_directory, 1 << 40, attributes, times, 30)
        assert listed_line(item) == json.dumps(listed_data(item), ensure_ascii=False)
