"""FILETIME: 100 ns ticks since 1601-01-01 UTC, to and from ISO 8601.

The calendar is computed here, because `datetime` ends with the year 9999 and has only microseconds: every
time of NTFS must be kept exactly.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from ntfsbuild.errors import ManifestError

if TYPE_CHECKING:
    from datetime import datetime

TICKS_PER_SECOND = 10_000_000
TICKS_MAX = (1 << 63) - 1  # 30828-09-14T02:48:05.4775807Z; Windows reads a FILETIME as signed.
UNIX_EPOCH_TICKS = 116_444_736 * 10**9  # 1970-01-01.

_SECONDS_PER_DAY = 86_400
_TICKS_PER_DAY = _SECONDS_PER_DAY * TICKS_PER_SECOND
_DAYS_TO_1601 = 584_694  # From 0000-03-01, where the arithmetic below begins.
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_TIMESTAMP = re.compile(
    r"([0-9]{4,5})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,7}))?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)


def ticks(time: datetime | str) -> int:
    """The ticks of a `datetime` with a time zone, or of an ISO 8601 text; a date is its midnight, UTC."""
    from datetime import UTC, datetime  # Late: only users of the Python API ask.

    try:
        if isinstance(time, str):
            return parse_filetime(time)
        if not isinstance(time, datetime):
            raise ValueError("neither a datetime nor a str")
        if time.utcoffset() is None:
            raise ValueError("not a time: its zone is missing (tzinfo=datetime.UTC)")
        passed = time - datetime(1601, 1, 1, tzinfo=UTC)
        seconds = passed.days * _SECONDS_PER_DAY + passed.seconds
        return _in_range(seconds * TICKS_PER_SECOND + passed.microseconds * 10)
    except ValueError as error:
        raise ManifestError(f"{time!r} is {error}") from None


def parse_filetime(text: str) -> int:
    """The ticks of an ISO 8601 timestamp; a date alone is its midnight, UTC.

    A time of day without a zone is refused, because it has no definite meaning.  The text of
    the ValueError completes the sentence "... is".
    """
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise ValueError("not a time (2024-01-31, 2024-01-31T10:20:30Z, 2024-01-31T10:20:30.1234567+01:00)")
    year, month, day, hour, minute, second, fraction, utc, sign, zone_hour, zone_minute = match.groups()
    if hour and not (utc or sign):
        raise ValueError("not a time: its zone is missing (Z, or an offset such as +01:00)")
    days = _days(int(year), int(month), int(day))
    seconds = _seconds_of_day(int(hour or 0), int(minute or 0), int(second or 0))
    offset = _offset_seconds(sign, int(zone_hour or 0), int(zone_minute or 0))
    ticks = (
        days * _TICKS_PER_DAY + (seconds - offset) * TICKS_PER_SECOND + int((fraction or "").ljust(7, "0"))
    )
    return _in_range(ticks)


def format_filetime(ticks: int) -> str:
    """The ISO 8601 form in UTC, always with seven fraction digits."""
    seconds, fraction = divmod(_in_range(ticks), TICKS_PER_SECOND)
    return f"{_to_the_second(seconds)}.{fraction:07}Z"


@functools.lru_cache(maxsize=1 << 12)  # The files of a volume have few different times.
def _to_the_second(seconds: int) -> str:
    days, seconds = divmod(seconds, _SECONDS_PER_DAY)
    year, month, day = _date(days)
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def unix_ns_from_filetime(ticks: int) -> int:
    """Nanoseconds since 1970, negative before."""
    return (ticks - UNIX_EPOCH_TICKS) * 100


def filetime_from_unix_ns(unix_ns: int) -> int:
    """The ticks of a Unix time in nanoseconds, as `st_mtime_ns` has it; finer digits are cut off."""
    return _in_range(unix_ns // 100 + UNIX_EPOCH_TICKS)


def _in_range(ticks: int) -> int:
    if not 0 <= ticks <= TICKS_MAX:
        raise ValueError("not a time that NTFS holds (1601-01-01 to 30828-09-14)")
    return ticks


def _days(year: int, month: int, day: int) -> int:
    """Days since 1601-01-01; years begin in March, so that a leap day is the last of its year."""
    if not 1 <= month <= 12:
        raise ValueError(f"not a time: there is no month {month} (01 to 12)")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    day_max = 28 if month == 2 and not leap else _MONTH_DAYS[month - 1]
    if not 1 <= day <= day_max:
        raise ValueError(f"not a time: {year:04}-{month:02} has no day {day} (01 to {day_max})")
    year -= month < 3
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - _DAYS_TO_1601


def _date(days: int) -> tuple[int, int, int]:
    """The year, month and day of a count of days since 1601-01-01: `_days` backwards."""
    era, day = divmod(days + _DAYS_TO_1601, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= year * 365 + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day_of_month = day - (153 * month + 2) // 5 + 1
    return era * 400 + year + (month >= 10), (month + 2) % 12 + 1, day_of_month


def _seconds_of_day(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("not a time: the time of day goes from 00:00:00 to 23:59:59")
    return (hour * 60 + minute) * 60 + second


def _offset_seconds(sign: str | None, hour: int, minute: int) -> int:
    if hour > 23 or minute > 59:
        raise ValueError("not a time: the offset goes from -23:59 to +23:59")
    seconds = (hour * 60 + minute) * 60
    return -seconds if sign == "-" else seconds
