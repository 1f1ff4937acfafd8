"""FILETIME against `datetime`, where it reaches, and against known values beyond."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ntfsbuild
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.filetime import (
    TICKS_MAX,
    UNIX_EPOCH_TICKS,
    filetime_from_unix_ns,
    format_filetime,
    parse_filetime,
)

NO_TIMES = (
    "now,2024,2024-1-1,20240101,2024-01-01T,2024-01-01Z,2024-01-01T00Z,٢٠٢٤-01-01,2024-01-01T00:00:00.Z,"
    "123456-01-01,2024-01-01T00:00:00.12345678Z,-2024-01-01,2024-W01-1,2024-01-01T00:00:00;5Z"
)
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1601-01-01", 0),
        ("1601-01-01T00:00:00.0000001Z", 1),
        ("1970-01-01T00:00:00Z", UNIX_EPOCH_TICKS),
        ("1980-01-01", 119_600_064_000_000_000),
        ("2023-05-06T07:08:09.1234567Z", 133_278_304_891_234_567),
        ("2023-05-06T07:08:09.1Z", 133_278_304_891_000_000),
        ("2023-05-06 07:08z", 133_278_304_800_000_000),
        ("2023-05-06T09:08:09.1234567+02:00", 133_278_304_891_234_567),
        ("2023-05-06T01:38:09.1234567-0530", 133_278_304_891_234_567),
        ("1600-12-31T23:00:00-01:00", 0),
        ("30828-09-14T02:48:05.4775807Z", TICKS_MAX),
    ],
)
def test_known_values(text: str, ticks: int) -> None:
    assert parse_filetime(text) == ticks


def test_ticks_of_a_datetime_or_a_text() -> None:
    time = datetime(2023, 5, 6, 8, 8, 9, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert ntfsbuild.ticks(time) == 133_278_304_891_234_560 == ntfsbuild.ticks("2023-05-06T07:08:09.123456Z")
    assert ntfsbuild.ticks(EPOCH) == 0
    assert ntfsbuild.ticks(datetime.max.replace(tzinfo=UTC)) == parse_filetime("9999-12-31T23:59:59.999999Z")


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("now", "'now' is not a time"),
        (datetime(2024, 1, 1), "its zone is missing"),
        (datetime(1600, 1, 1, tzinfo=UTC), "not a time that NTFS holds"),
        (1700000000, "1700000000 is neither a datetime nor a str"),
        (date(2024, 1, 1), "neither a datetime nor a str"),
    ],
)
def test_what_has_no_ticks(time: Any, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        ntfsbuild.ticks(time)


def test_every_day_that_datetime_knows() -> None:
    day_ticks = 86_400 * 10**7
    first = EPOCH.date().toordinal()
    for ordinal in range(first, date.max.toordinal() + 1, 17):
        day = date.fromordinal(ordinal)
        assert parse_filetime(day.isoformat()) == (ordinal - first) * day_ticks
        assert format_filetime((ordinal - first) * day_ticks)[:10] == day.isoformat()


@pytest.mark.parametrize("year", [1700, 1800, 1900, 2000, 2024, 2100])
def test_leap_days(year: int) -> None:
    is_leap = year in (2000, 2024)
    if is_leap:
        assert parse_filetime(f"{year}-03-01") - parse_filetime(f"{year}-02-29") == 864_000_000_000
    else:
        with pytest.raises(ValueError, match=rf"{year}-02 has no day 29 \(01 to 28\)"):
            parse_filetime(f"{year}-02-29")


@given(
    st.datetimes(datetime(1601, 1, 2), datetime(9999, 12, 30)),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)),
)
def test_it_agrees_with_datetime(moment: datetime, offset: timedelta) -> None:
    minutes = offset // timedelta(minutes=1)
    sign, minutes_abs = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{moment.isoformat()}{sign}{minutes_abs // 60:02}:{minutes_abs % 60:02}"
    expected = (moment.replace(tzinfo=UTC) - timedelta(minutes=minutes) - EPOCH) // timedelta(microseconds=1)
    assert parse_filetime(text) == expected * 10


@given(st.integers(0, TICKS_MAX))
def test_format_is_read_back(ticks: int) -> None:
    assert parse_filetime(format_filetime(ticks)) == ticks


@given(st.integers(0, TICKS_MAX - 1))
def test_text_sorts_as_time_does_within_four_digit_years(ticks: int) -> None:
    text, later = format_filetime(ticks), format_filetime(ticks + 1)
    assert len(text) != len(later) or text < later


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2024-01-01T00:00:00", "not a time: its zone is missing (Z, or an offset such as +01:00)"),
        ("2024-00-01", "not a time: there is no month 0 (01 to 12)"),
        ("2024-04-31", "not a time: 2024-04 has no day 31 (01 to 30)"),
        ("2024-01-01T23:59:60Z", "not a time: the time of day goes from 00:00:00 to 23:59:59"),
        ("2024-01-01T00:00:00+23:60", "not a time: the offset goes from -23:59 to +23:59"),
        ("1600-12-31", "not a time that NTFS holds (1601-01-01 to 30828-09-14)"),
        ("30828-09-14T02:48:05.4775808Z", "not a time that NTFS holds (1601-01-01 to 30828-09-14)"),
        ("99999-01-01", "not a time that NTFS holds (1601-01-01 to 30828-09-14)"),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_filetime(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["", " 2024-01-01", "2024-01-01\n", "2024-01-01T00:00:00 Z", *NO_TIMES.split(",")]
)
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a time \(2024-01-31, "):
        parse_filetime(text)


@pytest.mark.parametrize("ticks", [-1, TICKS_MAX + 1])
def test_no_ticks(ticks: int) -> None:
    with pytest.raises(ValueError, match="not a time that NTFS holds"):
        format_filetime(ticks)


def test_unix_times() -> None:
    assert filetime_from_unix_ns(0) == UNIX_EPOCH_TICKS
    assert filetime_from_unix_ns(199) == UNIX_EPOCH_TICKS + 1
    assert filetime_from_unix_ns(-1) == UNIX_EPOCH_TICKS - 1
    assert format_filetime(filetime_from_unix_ns(1_683_356_889_123_456_789)) == "2023-05-06T07:08:09.1234567Z"
    with pytest.raises(ValueError, match="not a time that NTFS holds"):
        filetime_from_unix_ns(-(10**20))
