"""The arguments and options that say which volume of an image is meant."""

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
    """The options that say where in an image the volume lies."""
    offset = click.option(
        "--offset",
        callback=_size,
        metavar="BYTES",
        help="Where the volume begins in the image, such as 1MiB, when no partition table says it.",
    )
    partition = click.option(
        "--partition",
        type=click.IntRange(1),
        metavar="N",
        help="The partition (MBR or GPT) that holds the volume; needed only where several are NTFS.",
    )
    return offset(partition(command))


def image_options(command: _Command) -> _Command:
    """The argument and the options that say which volume is meant."""
    return click.argument("image", type=HostPath())(place_options(command))


def conflict_option(command: _Command) -> _Command:
    """The option that says what happens to what is there already, but other."""
    return click.option(
        "--on-conflict",
        type=click.Choice(["replace", "keep", "error"]),
        default="replace",
        show_default=True,
        help="What to do with a file or directory that is there already, but other than the manifest says.",
    )(command)


def base_image(
    image: str | None, offset: int | None, partition: int | None, journal: str | None = None
) -> BaseImage | None:
    """The volume that is meant, None where there is no image."""
    if image is None:
        if offset is not None or partition is not None:
            raise click.UsageError("--offset and --partition say where in an image: name the image, too")
        return None
    from ntfsbuild.builder import BaseImage

    return BaseImage(image, partition, offset, journal)


def check_option(command: _Command) -> _Command:
    """The option that has a large volume checked before it is changed."""
    return click.option(
        "--check",
        is_flag=True,
        help="Before the change, hold all records of the volume against its bitmaps.  Up to 100,000 records "
        "are checked without being asked.",
    )(command)
