"""extract: files copied out of an image."""

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
    help="Write to this directory, which must be new or empty, or to a tar archive (a name in .tar).",
)
@click.option("--deleted", is_flag=True, help="Extract deleted files, too, into $Deleted.")
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
    """Extract PATHS, and everything below them, from IMAGE; without PATHS, everything.

    Characters of names that the host does not allow are written as %XX.  Notes list what cannot be extracted,
    such as encrypted content; then the exit code is 1.
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
