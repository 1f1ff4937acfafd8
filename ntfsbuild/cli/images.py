"""The arguments and options that select a volume of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ntfsbuild.cli.app import HostPath

if TYPE_CHECKING:
    from ntfsbuild.builder import BaseImage

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _size(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """A count of bytes, as a manifest writes it."""
    if text is None:
        return None
    from ntfsbuild.manifest.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def place_options(command: _Command) -> _Command:
    """The options that locate the volume in an image."""
    offset = click.option(
        "--offset",
        callback=_size,
        metavar="BYTES",
        help="Offset of the volume in the image, such as 1MiB, if no partition table gives it.",
    )
    partition = click.option(
        "--partition",
        type=click.IntRange(1),
        metavar="N",
        help="Number of the partition (MBR or GPT) with the volume; needed only if several are NTFS.",
    )
    return offset(partition(command))


def image_options(command: _Command) -> _Command:
    """The argument and the options that select an image and its volume."""
    return click.argument("image", type=HostPath())(place_options(command))


def conflict_option(command: _Command) -> _Command:
    """The option for existing files that differ from the manifest."""
    return click.option(
        "--on-conflict",
        type=click.Choice(["replace", "keep", "error"]),
        default="replace",
        show_default=True,
        help="What to do with an existing file or directory that differs from the manifest.",
    )(command)


def base_image(
    image: str | None, offset: int | None, partition: int | None, journal: str | None = None
) -> BaseImage | None:
    """The selected volume; None if no image is given."""
    if image is None:
        if offset is not None or partition is not None:
            raise click.UsageError("--offset and --partition say where in an image: name the image, too")
        return None
    from ntfsbuild.builder import BaseImage

    return BaseImage(image, partition, offset, journal)


def check_option(command: _Command) -> _Command:
    """The option that checks a large volume before it is changed."""
    return click.option(
        "--check",
        is_flag=True,
        help="Compare all MFT records with the volume's bitmaps before the change. Volumes of up to 100,000 "
        "records are always checked.",
    )(command)
