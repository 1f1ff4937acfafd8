"""capture: a manifest made from an existing volume."""

from __future__ import annotations

import json
from typing import Any

import click

from ntfsbuild.cli.app import HostPath, app, common
from ntfsbuild.cli.images import image_options
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import say

NOT_ALL = 1


@app.command()
@image_options
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=HostPath(),
    help="Write manifest.yaml and content/ to this directory, which must be new or empty.",
)
@click.option("--prefix", default="/", metavar="PATH", help="Capture only this path and everything below it.")
@click.option(
    "--metadata-only", is_flag=True, help="Omit file contents: files become zeros of the same size."
)
@common
@click.pass_obj
def capture(
    settings: Settings,
    image: str,
    offset: int | None,
    partition: int | None,
    output: str,
    prefix: str,
    metadata_only: bool,
) -> int:
    """Write a manifest that builds the same volume as the one in IMAGE.

    Notes on standard error list what a manifest cannot express.  Damage that prevented reading is listed,
    too; then the exit code is 1.
    """
    from ntfsbuild.builder.capturing import capture
    from ntfsbuild.report.words import escaped

    done = capture(
        image, output, prefix=prefix, metadata_only=metadata_only, offset=offset, partition=partition
    )
    if settings.json:
        notes = [{"path": path, "why": why} for path, why in done.notes]
        data: dict[str, Any] = {"manifest": done.manifest, "notes": notes}
        if done.damage:
            data["damage"] = [{"path": path, "why": why} for path, why in done.damage]
        print(json.dumps(data, ensure_ascii=False))
        return NOT_ALL if done.damage else 0
    for path, why in done.notes:
        say(f"note: {escaped(path)}: {escaped(why)}")
    for path, why in done.damage:
        say(f"damaged: {image}: {escaped(path)}: {escaped(why)}")
    if not settings.quiet:
        print(escaped(done.manifest))
    return NOT_ALL if done.damage else 0
