"""What stands in the place of everything that a volume had before it was closed."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from ntfsbuild.errors import ClosedVolume


class _Closed:
    """Raises ClosedVolume whatever it is asked for, so that nothing is answered, or written, from memory."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ClosedVolume("the volume is closed")


CLOSED: Final[Any] = _Closed()
