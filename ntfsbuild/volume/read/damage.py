"""What is damaged on a volume and does not stop a reader: it reads around the damage, and tells."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume


class Damage:
    """What was told, in its order, each once: a path of the volume or a record, and what is wrong there.

    Who changes a volume sets `refuses`: damage by which a change would lose something is raised then.
    """

    def __init__(self) -> None:
        self.refuses = False
        self._told: dict[tuple[str, str], None] = {}

    def tell(self, where: str, what: str) -> None:
        """Take in damage behind which everything could still be read."""
        self._told[where, what] = None

    def lose(self, where: str, what: str) -> None:
        """Take in damage by which something cannot be read; raises CorruptVolume before a change."""
        if self.refuses:
            raise CorruptVolume(f"{where}: {what}")
        self.tell(where, what)

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """Where something is damaged, and what."""
        return tuple(self._told)

    @property
    def messages(self) -> tuple[str, ...]:
        """The same as one text each."""
        return tuple(f"{where}: {what}" for where, what in self._told)
