"""Images and manifests compared: a manifest stands for the image that it builds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ntfsbuild.builder.building import build
from ntfsbuild.builder.differences import Change, Difference, differences
from ntfsbuild.builder.planning import AnyPath
from ntfsbuild.volume.volume import Volume

__all__ = ["Change", "Difference", "diff"]

_MANIFESTS = (b".yaml", b".yml", b".json")


def diff(
    a: AnyPath,
    b: AnyPath,
    *,
    layout: bool = False,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
) -> Iterator[Difference]:
    """Everything in which `b` differs from `a`; each is an image, or a manifest (.yaml, .yml, .json)."""
    with ExitStack() as stack:
        volumes = [stack.enter_context(_opened(path, allow_outside, default_ticks)) for path in (a, b)]
        yield from differences(*volumes, layout=layout)


@contextmanager
def _opened(path: AnyPath, allow_outside: Sequence[AnyPath], default_ticks: int | None) -> Iterator[Volume]:
    if not os.fsencode(path).lower().endswith(_MANIFESTS):
        with Volume.open(path) as volume:
            yield volume
        return
    with tempfile.TemporaryDirectory(prefix="ntfsbuild-diff-") as folder:
        image = os.path.join(folder, "built.img")
        build(path, image, allow_outside=allow_outside, default_ticks=default_ticks)
        with Volume.open(image) as volume:
            yield volume
