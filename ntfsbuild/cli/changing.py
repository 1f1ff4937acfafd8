"""apply: a manifest applied to an existing volume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ntfsbuild.cli.app import HostPath, app, common, jobs_option, manifest_options, verify_option
from ntfsbuild.cli.images import base_image, check_option, conflict_option, image_options
from ntfsbuild.cli.plans import folder_of, operation_printer, source_date_ticks
from ntfsbuild.cli.progress import shown_progress
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import say_damage

if TYPE_CHECKING:
    from ntfsbuild.builder import Applied, OnConflict


@app.command()
@manifest_options
@image_options
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=HostPath(),
    help="Write the changed image to this file, and leave IMAGE unchanged.",
)
@click.option(
    "--in-place",
    is_flag=True,
    help="Change IMAGE itself. Old data is saved in a journal beside it until the change is complete.",
)
@click.option(
    "--journal",
    metavar="FILE",
    type=HostPath(),
    help="The file for the journal of --in-place; only for a block device, which has no journal beside it.",
)
@conflict_option
@click.option("--force", is_flag=True, help="Change the volume even if it is marked dirty.")
@check_option
@jobs_option
@verify_option
@common
@click.pass_obj
def apply(
    settings: Settings,
    manifest: str,
    image: str,
    offset: int | None,
    partition: int | None,
    output: str | None,
    in_place: bool,
    journal: str | None,
    on_conflict: OnConflict,
    force: bool,
    check: bool,
    jobs: int,
    verify: bool,
    allow_outside: tuple[str, ...],
) -> None:
    """Apply the tree and the steps of MANIFEST to the volume in IMAGE: completely, or not at all.

    Files that are equal stay untouched, files that differ are replaced, and nothing else changes.  The
    change is made on a copy, which replaces IMAGE when it is complete.  `plan --base IMAGE` shows the
    change without making it.
    """
    from ntfsbuild import builder

    if in_place and output is not None:
        raise click.UsageError("--in-place writes IMAGE itself: it has no other output")
    if journal is not None and not in_place:
        raise click.UsageError("--journal belongs to --in-place")
    if verify and in_place:
        raise click.UsageError("--verify looks at a copy before it takes its place: --in-place makes none")
    base = base_image(image, offset, partition, journal)
    assert base is not None
    tell = operation_printer(folder_of(manifest)) if settings.verbose else None
    with shown_progress(settings, tell is None) as progress:
        result = builder.apply(
            manifest,
            base,
            output,
            in_place=in_place,
            on_conflict=on_conflict,
            force=force,
            allow_outside=allow_outside,
            default_ticks=source_date_ticks(),
            progress=progress,
            tell=tell,
            jobs=jobs,
            verify=verify,
            check=True if check else None,
        )
    _say_applied(result, settings)


def _say_applied(result: Applied, settings: Settings) -> None:
    if settings.json:
        print(json.dumps(result._asdict(), ensure_ascii=False))
        return
    say_damage(result.path, result.notes, settings)
    if not settings.quiet:
        from ntfsbuild.report.plans import counts_text
        from ntfsbuild.report.words import escaped

        counts = counts_text(result.created, result.replaced, result.kept, result.removed, result.steps)
        print(f"{escaped(result.path)}: {counts}" + ("" if result.changed else "; nothing to change"))
