"""What is damaged on a volume and does not stop a reader: it reads around the damage, and tells."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume


class Damage:
    """Messages in the order in which they were told, each once.

    Who changes a volume sets `refuses`: damage by which a change would lose something is raised then.
    """

    def __init__(self) -> None:
        self.refuses = False
        self._messages: dict[str, None] = {}

    def tell(self, message: str) -> None:
        """Take in damage behind which everything could still be read; the message names the record."""
        self._messages[message] = None

    def lose(self, message: str) -> None:
        """Take in damage by which something cannot be read; raises CorruptVolume before a change."""
        if self.refuses:
            raise CorruptVolume(message)
        self.tell(message)

    @property
    def messages(self) -> tuple[str, ...]:
        """All messages until now."""
        return tuple(self._messages)
