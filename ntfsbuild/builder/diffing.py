"""Compares images and manifests; for a manifest its image is built first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.builder.building import build
from ntfsbuild.builder.differences import Difference, FieldChange, differences
from ntfsbuild.errors import naming
from ntfsbuild.volume.opening import Volume

__all__ = ["Difference", "FieldChange", "diff"]

TellDamage: TypeAlias = Callable[[str, str, str], None]

_MANIFESTS = (b".yaml", b".yml", b".json")


def diff(
    a: AnyPath | BaseImage,
    b: AnyPath | BaseImage,
    *,
    layout: bool = False,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    tell: TellDamage | None = None,
) -> Iterator[Difference]:
    """All differences of `b` from `a`; each is an image, or a manifest (.yaml, .yml, .json).

    `tell` is called at the end for each damage that was skipped: path of the image, location, error.
    """
    with ExitStack() as stack:
        volumes = [stack.enter_context(_opened(path, allow_outside, default_ticks)) for path in (a, b)]
        yield from differences(*volumes, layout=layout)
        if tell is None:
            return
        for side, volume in zip((a, b), volumes, strict=True):
            for where, what in volume.damage.reported:
                tell(os.fspath(side.path if isinstance(side, BaseImage) else side), where, what)


def is_manifest(path: AnyPath) -> bool:
    """Whether a path has the name of a manifest."""
    return os.fsencode(path).lower().endswith(_MANIFESTS)


@contextmanager
def _opened(
    side: AnyPath | BaseImage, allow_outside: Sequence[AnyPath], default_ticks: int | None
) -> Iterator[Volume]:
    image = side if isinstance(side, BaseImage) else BaseImage(side)
    if isinstance(side, BaseImage) or not is_manifest(image.path):
        with naming(image.path):
            opened = Volume.open(image.path, offset=image.offset, partition=image.partition)
        with opened as volume:
            yield volume
        return
    with tempfile.TemporaryDirectory(prefix="ntfsbuild-diff-") as folder:
        built = os.path.join(folder, "built.img")
        build(image.path, built, allow_outside=allow_outside, default_ticks=default_ticks)
        with Volume.open(built) as volume:
            yield volume
