"""verify: a volume checked against every rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ntfsbuild.cli.app import HostPath, allow_outside, app, common
from ntfsbuild.cli.images import base_image, image_options
from ntfsbuild.cli.plans import source_date_ticks
from ntfsbuild.cli.settings import Settings

if TYPE_CHECKING:
    from ntfsbuild.builder import BaseImage
    from ntfsbuild.builder.differences import Difference

EXIT_FINDINGS = 1


@app.command()
@image_options
@click.option(
    "--against",
    metavar="MANIFEST",
    type=HostPath(),
    help="Also compare the volume with the image that this manifest builds: contents and all metadata.",
)
@allow_outside
@common
@click.pass_obj
def verify(
    settings: Settings,
    image: str,
    offset: int | None,
    partition: int | None,
    against: str | None,
    allow_outside: tuple[str, ...],
) -> int:
    """Check the volume in IMAGE against every rule of specs/invariants.md; write nothing.

    The exit code is 1 if there are errors or warnings (notes do not count), and 3 if the volume cannot be
    read at all.
    """
    from ntfsbuild.builder.verifying import verify as verified
    from ntfsbuild.report.verifying import verified_data, verified_lines

    base = base_image(image, offset, partition)
    assert base is not None
    found = verified(base)
    different = [] if against is None else _differences(against, base, allow_outside)
    if settings.json:
        from ntfsbuild.report.differences import difference_data

        data = verified_data(found)
        if against is not None:
            data["differences"] = [difference_data(one) for one in different]
        print(json.dumps(data, ensure_ascii=False))
    elif not settings.quiet or not found.is_clean or different:
        for line in verified_lines(found, verbose=settings.verbose):
            print(line)
        _print_differences(different, against)
    return 0 if found.is_clean and not different else EXIT_FINDINGS


def _differences(manifest: str, base: BaseImage, allow_outside: tuple[str, ...]) -> list[Difference]:
    from ntfsbuild.builder.diffing import diff

    ticks = source_date_ticks()
    return list(diff(manifest, base, allow_outside=allow_outside, default_ticks=ticks))


def _print_differences(different: list[Difference], against: str | None) -> None:
    if against is None:
        return
    from ntfsbuild.report.differences import difference_lines, summary
    from ntfsbuild.report.words import escaped

    for one in different:
        for line in difference_lines(one):
            print(line)
    print(f"{escaped(against)}: {summary(different) if different else 'the same'}")
