"""Bounds the directories that one input may name: a few bytes can name many, and each takes memory."""

from __future__ import annotations

from typing import Final

from ntfsbuild.errors import ManifestError

DIRECTORY_COST: Final = 512  # Of a directory, added to the characters of its path.
PATHS_COST_MAX: Final = 32 << 20
PATHS_RATIO_MAX: Final = 64  # Added to it for each byte of the input.


class PathBudget:
    """The cost that is left for the directories of one manifest or archive."""

    __slots__ = ("_left", "_most")

    def __init__(self, input_bytes: int) -> None:
        self._left = self._most = PATHS_COST_MAX + PATHS_RATIO_MAX * input_bytes

    def spend(self, path_length: int) -> None:
        """Subtract the cost of one more directory; raises ManifestError if nothing is left."""
        self._left -= DIRECTORY_COST + path_length
        if self._left < 0:
            raise ManifestError(
                f"too many directories, or too deep ones, for its size: each costs {DIRECTORY_COST} and the "
                f"length of its path, and all together at most {self._most} ({PATHS_COST_MAX} and "
                f"{PATHS_RATIO_MAX} for each byte)"
            )
