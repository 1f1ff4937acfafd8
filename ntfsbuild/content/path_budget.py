"""What the directories of one input may cost: a few bytes can name many, and each has a path."""

from __future__ import annotations

from typing import Final

from ntfsbuild.errors import ManifestError

DIRECTORY_COST: Final = 512  # What a directory costs beside its path, in characters.
PATHS_COST_MAX: Final = 32 << 20
PATHS_RATIO_MAX: Final = 64  # So many times the bytes of the input come on top.


class PathBudget:
    """What is left for directories of a manifest, or of an archive."""

    __slots__ = ("_left", "_most")

    def __init__(self, input_bytes: int) -> None:
        self._left = self._most = PATHS_COST_MAX + PATHS_RATIO_MAX * input_bytes

    def spend(self, path_length: int) -> None:
        """Account for one more directory; raises ManifestError when there are too many, or too deep ones."""
        self._left -= DIRECTORY_COST + path_length
        if self._left < 0:
            raise ManifestError(
                f"too many directories, or too deep ones, for its size: each costs {DIRECTORY_COST} and the "
                f"length of its path, and all together at most {self._most} ({PATHS_COST_MAX} and "
                f"{PATHS_RATIO_MAX} for each byte)"
            )
