"""What the options that all commands have were set to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """Filled while the arguments are parsed; these options stand before or after the command."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
