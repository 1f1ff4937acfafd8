"""extract: files out of an image."""

from __future__ import annotations

import json

import click

from ntfsbuild.cli.app import HostPath, app, common
from ntfsbuild.cli.images import image_options
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import say

NOT_ALL = 1


@app.command()
@image_options
@click.argument("paths", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR|FILE.tar",
    type=HostPath(),
    help="A directory that is not there yet, or empty; or an archive, whose name ends in .tar.",
)
@click.option("--deleted", is_flag=True, help="Take deleted files along, too, below $Deleted.")
@common
@click.pass_obj
def extract(
    settings: Settings,
    image: str,
    offset: int | None,
    partition: int | None,
    paths: tuple[str, ...],
    output: str,
    deleted: bool,
) -> int:
    """Take PATHS, and what is below them, out of IMAGE; everything when none is said.

    Names that the host cannot have are written with %XX.  What cannot be taken (encrypted content, say)
    is told, and the exit code is 1 then.
    """
    from ntfsbuild.builder.extracting import extract
    from ntfsbuild.report.words import count_text, escaped

    done = extract(image, output, paths or ("/",), offset=offset, partition=partition, deleted=deleted)
    if settings.json:
        notes = [{"path": path, "why": why} for path, why in done.notes]
        print(json.dumps({"path": output, "items": done.items, "notes": notes}, ensure_ascii=False))
    else:
        for path, why in done.notes:
            say(f"note: {escaped(path)}: {escaped(why)}")
        if not settings.quiet:
            print(f"{escaped(output)}: {count_text(done.items, 'item', 'items')}")
    return NOT_ALL if done.notes else 0
