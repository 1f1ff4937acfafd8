"""The values of the options that all commands have."""

from __future__ import annotations

PROGRAM = "ntfsbuild"
COMPLETION_VARIABLE = "_NTFSBUILD_COMPLETE"


class Settings:
    """Set while the arguments are parsed; these options may stand before or after the command."""

    __slots__ = ("debug", "json", "quiet", "verbose")

    def __init__(self) -> None:
        self.json = self.quiet = self.verbose = self.debug = False
