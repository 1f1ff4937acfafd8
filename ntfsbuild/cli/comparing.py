"""diff: the differences between two images or manifests."""

from __future__ import annotations

import json
from typing import Any

import click

from ntfsbuild.cli.app import HostPath, allow_outside, app, common
from ntfsbuild.cli.images import place_options
from ntfsbuild.cli.plans import source_date_ticks
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import say

DIFFERENT = 1


@app.command()
@click.argument("a", type=HostPath())
@click.argument("b", type=HostPath())
@click.option("--layout", is_flag=True, help="Compare records, runs, geometry and serial numbers, too.")
@place_options
@allow_outside
@common
@click.pass_obj
def diff(
    settings: Settings,
    a: str,
    b: str,
    layout: bool,
    offset: int | None,
    partition: int | None,
    allow_outside: tuple[str, ...],
) -> int:
    """Show how B differs from A.  Each is an image, or a manifest (.yaml, .yml, .json) to be built.

    --offset and --partition apply to both images.  The exit code is 0 when the volumes are the same, and 1
    when they differ or when damage prevented a comparison.
    """
    from ntfsbuild.builder import BaseImage
    from ntfsbuild.builder.diffing import diff, is_manifest
    from ntfsbuild.report.differences import difference_data, difference_lines, summary

    sides = (side if is_manifest(side) else BaseImage(side, partition, offset) for side in (a, b))
    ticks = source_date_ticks()
    damage: list[tuple[str, str, str]] = []

    def tell(image: str, path: str, why: str) -> None:
        damage.append((image, path, why))

    found = list(diff(*sides, layout=layout, allow_outside=allow_outside, default_ticks=ticks, tell=tell))
    if settings.json:
        same: dict[str, Any] = {"same": not found, "differences": [difference_data(one) for one in found]}
        if damage:
            same["damage"] = [{"image": image, "path": path, "why": why} for image, path, why in damage]
        print(json.dumps(same, ensure_ascii=False))
        return DIFFERENT if found or damage else 0
    for image, path, why in damage:
        say(f"damaged: {image}: {path}: {why}")
    if not settings.quiet:
        for one in found:
            for line in difference_lines(one):
                print(line)
        if found:
            print(summary(found))
    return DIFFERENT if found or damage else 0
