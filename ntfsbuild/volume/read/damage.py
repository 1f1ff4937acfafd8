"""Damage of a volume that does not stop a reader: the reader skips it, and reports it."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume


class Damage:
    """The reported damage, in order, each once: a path of the volume or a record, and the error.

    Before a change `refuses` is set: then damage that hides data is raised as an error.
    """

    def __init__(self) -> None:
        self.refuses = False
        self._reported: dict[tuple[str, str], None] = {}

    def tell(self, where: str, what: str) -> None:
        """Report damage despite which everything could be read."""
        self._reported[where, what] = None

    def lose(self, where: str, what: str) -> None:
        """Report damage that hides data; raises CorruptVolume before a change."""
        if self.refuses:
            raise CorruptVolume(f"{where}: {what}")
        self.tell(where, what)

    @property
    def reported(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a location and an error."""
        return tuple(self._reported)

    @property
    def messages(self) -> tuple[str, ...]:
        """The same as one text each."""
        return tuple(f"{where}: {what}" for where, what in self._reported)
