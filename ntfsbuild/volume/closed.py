"""The object that replaces all parts of a closed volume."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from ntfsbuild.errors import ClosedVolume


class _Closed:
    """Raises ClosedVolume on every access, so that nothing is read from memory or written."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ClosedVolume("the volume is closed")


CLOSED: Final[Any] = _Closed()
