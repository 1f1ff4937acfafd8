"""The image that a verb works on, as its caller names it."""

from __future__ import annotations

import os
from typing import NamedTuple, TypeAlias

AnyPath: TypeAlias = str | os.PathLike[str]


class BaseImage(NamedTuple):
    """A volume that is to be changed: an image, and where in it the volume lies when that must be said.

    `journal` is the place of the journal of a block device, which has none beside it.
    """

    path: AnyPath
    partition: int | None = None
    offset: int | None = None
    journal: AnyPath | None = None
