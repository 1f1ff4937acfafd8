"""verify: a volume held to every rule."""

from __future__ import annotations

import json

import click

from ntfsbuild.cli.app import app, common
from ntfsbuild.cli.images import base_image, image_options
from ntfsbuild.cli.settings import Settings

EXIT_FINDINGS = 1


@app.command()
@image_options
@common
@click.pass_obj
def verify(settings: Settings, image: str, offset: int | None, partition: int | None) -> int:
    """Check the volume in IMAGE: every rule of specs/invariants.md, and nothing is written.

    The exit code is 1 where something was found, be it a warning; notes alone do not count.  It is 3
    where the volume cannot be read at all.
    """
    from ntfsbuild.builder.verifying import verify as verified
    from ntfsbuild.report.verifying import verified_data, verified_lines

    base = base_image(image, offset, partition)
    assert base is not None
    found = verified(base)
    if settings.json:
        print(json.dumps(verified_data(found), ensure_ascii=False))
    elif not settings.quiet or not found.is_clean:
        for line in verified_lines(found, verbose=settings.verbose):
            print(line)
    return 0 if found.is_clean else EXIT_FINDINGS
