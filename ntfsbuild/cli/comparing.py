"""diff: what is different between two images, or manifests."""

from __future__ import annotations

import json

import click

from ntfsbuild.cli.app import HostPath, allow_outside, app, common
from ntfsbuild.cli.plans import source_date_ticks
from ntfsbuild.cli.settings import Settings

DIFFERENT = 1


@app.command()
@click.argument("a", type=HostPath())
@click.argument("b", type=HostPath())
@click.option("--layout", is_flag=True, help="Compare records, runs, geometry and serial numbers, too.")
@allow_outside
@common
@click.pass_obj
def diff(settings: Settings, a: str, b: str, layout: bool, allow_outside: tuple[str, ...]) -> int:
    """Show how B differs from A: images, or manifests (.yaml, .yml, .json) of which images are built.

    The exit code is 0 when they are the same, and 1 when they are not.
    """
    from ntfsbuild.builder.diffing import diff
    from ntfsbuild.report.differences import difference_data, difference_lines, summary

    found = list(diff(a, b, layout=layout, allow_outside=allow_outside, default_ticks=source_date_ticks()))
    if settings.json:
        same = {"same": not found, "differences": [difference_data(one) for one in found]}
        print(json.dumps(same, ensure_ascii=False))
    elif not settings.quiet:
        for one in found:
            for line in difference_lines(one):
                print(line)
        if found:
            print(summary(found))
    return DIFFERENT if found else 0
