"""explain: the meaning of an image's bytes."""

from __future__ import annotations

import json

import click

from ntfsbuild.cli.app import app, common
from ntfsbuild.cli.images import image_options
from ntfsbuild.cli.settings import Settings


@app.command()
@image_options
@click.argument("target")
@common
@click.pass_obj
def explain(settings: Settings, image: str, offset: int | None, partition: int | None, target: str) -> None:
    """Show what TARGET of IMAGE is: a path (/a/b), a record (12), or a byte of the volume (0x1f00).

    For a path it shows the MFT records; for a byte the structure that contains it, field by field, and the
    file that owns it.
    """
    from ntfsbuild.builder.explanation import explain
    from ntfsbuild.report.explanations import explained_data, explained_lines

    found = explain(image, target, offset=offset, partition=partition)
    if settings.json:
        print(json.dumps([explained_data(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        for line in explained_lines(one):
            print(line)
