"""The image that a function of the API works on, as its caller names it."""

from __future__ import annotations

import os
from typing import TypeAlias

from ntfsbuild.named_tuple import NamedTuple

AnyPath: TypeAlias = str | os.PathLike[str]


class BaseImage(NamedTuple):
    """A volume to be changed: an image and, if needed, the partition or offset of the volume in it.

    `journal` is the path of the journal of a block device, which has no journal beside it.
    """

    path: AnyPath
    partition: int | None = None
    offset: int | None = None
    journal: AnyPath | None = None
