"""build, validate, plan, execute: from manifests and saved plans to images."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

import click

from ntfsbuild.cli.app import (
    HostPath,
    allow_outside,
    app,
    common,
    jobs_option,
    manifest_options,
    verify_option,
)
from ntfsbuild.cli.images import base_image, check_option, conflict_option, place_options
from ntfsbuild.cli.plans import content_size, folder_of, operation_printer, source_date_ticks
from ntfsbuild.cli.progress import shown_progress
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import binary_input, save, say, say_damage
from ntfsbuild.errors import ManifestError

if TYPE_CHECKING:
    from ntfsbuild.builder import BuildResult, OnConflict
    from ntfsbuild.plan.model import Operation, Plan

output_option = click.option(
    "-o", "--output", required=True, metavar="IMAGE", type=HostPath(), help="Write the image to this file."
)


@app.command()
@manifest_options
@output_option
@conflict_option
@jobs_option
@verify_option
@common
@click.pass_obj
def build(
    settings: Settings,
    manifest: str,
    output: str,
    on_conflict: OnConflict,
    jobs: int,
    verify: bool,
    allow_outside: tuple[str, ...],
) -> None:
    """Build the image that MANIFEST describes; with -v, print each operation on standard error.

    An existing IMAGE is replaced only when the new image is complete.  A build that fails leaves it
    unchanged.  If the manifest names a base image, its tree is applied to a copy of that image.
    """
    from ntfsbuild import builder

    tell = operation_printer(folder_of(manifest)) if settings.verbose else None
    with shown_progress(settings, tell is None) as progress:
        result = builder.build(
            manifest,
            output,
            on_conflict=on_conflict,
            allow_outside=allow_outside,
            default_ticks=source_date_ticks(),
            progress=progress,
            tell=tell,
            jobs=jobs,
            verify=verify,
        )
    _say_built(result, settings)


@app.command()
@manifest_options
@common
@click.pass_obj
def validate(settings: Settings, manifest: str, allow_outside: tuple[str, ...]) -> int:
    """Check that MANIFEST can be built, with every step of a build, but write no image.

    With --json the result is {"valid": …, "problems": […]} on standard output.
    """
    from ntfsbuild import builder

    try:
        builder.check(manifest, allow_outside=allow_outside, default_ticks=source_date_ticks())
    except ManifestError as error:
        if not settings.json:
            raise
        from ntfsbuild.report.failures import problems_data

        print(json.dumps({"valid": False, "problems": problems_data(error)}, ensure_ascii=False))
        return error.exit_code
    if settings.json:
        print(json.dumps({"valid": True, "problems": []}))
    elif not settings.quiet:
        print(f"{manifest}: valid")
    return 0


@app.command()
@manifest_options
@click.option(
    "-o", "--output", metavar="FILE", type=HostPath(), help="Save the plan in this file, as JSON lines."
)
@click.option(
    "--base",
    "image",
    metavar="IMAGE",
    type=HostPath(),
    help="Show how `apply` would change this image: the files it creates, replaces, keeps and removes.",
)
@place_options
@conflict_option
@common
@click.pass_obj
def plan(
    settings: Settings,
    manifest: str,
    output: str | None,
    image: str | None,
    offset: int | None,
    partition: int | None,
    on_conflict: OnConflict,
    allow_outside: tuple[str, ...],
) -> None:
    """Print the operations, in order, that build MANIFEST or apply it to an image.

    With --json or -o, the plan is JSON lines for `execute`, with the size and SHA-256 of every source.
    """
    from ntfsbuild import builder
    from ntfsbuild.content.host_directories import open_directories
    from ntfsbuild.content.outputs import output_is_no_input

    with open_directories(), output_is_no_input(output, {"the manifest": manifest, "the image": image}):
        pinned = settings.json or output is not None
        made = builder.make_plan(
            builder.load(manifest),
            base=base_image(image, offset, partition),
            on_conflict=on_conflict,
            allow_outside=allow_outside,
            default_ticks=source_date_ticks(),
            pin_sources=pinned,
        )
        base = folder_of(manifest)
        if not pinned:
            _print_plan(made, base)
            return
        lines = builder.save_plan(made, os.fsdecode(base))
        if output is None:
            sys.stdout.writelines(lines)
            return
        save(output, (line.encode() for line in lines))
        if folder_of(output) != base and not settings.quiet:
            where = os.path.dirname(manifest) or "."
            say(f"note: the plan is for sources in {where}: execute it with --base {where}")


@app.command()
@click.argument("plan", type=HostPath())
@output_option
@click.option(
    "--base",
    metavar="DIR",
    type=HostPath(),
    help="The manifest's folder; the paths of sources are relative to it. Default: the folder of PLAN, "
    "or the working directory when the manifest lies there and not beside PLAN.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    type=HostPath(),
    help="The image for which a plan of a change was made. A changed copy of it is written to the output.",
)
@place_options
@check_option
@allow_outside
@jobs_option
@common
@click.pass_obj
def execute(
    settings: Settings,
    plan: str,
    output: str,
    base: str | None,
    image: str | None,
    offset: int | None,
    partition: int | None,
    check: bool,
    allow_outside: tuple[str, ...],
    jobs: int,
) -> None:
    """Build the image of a saved PLAN (- is standard input); with -v, print each operation."""
    from ntfsbuild import builder
    from ntfsbuild.content.outputs import output_is_no_input
    from ntfsbuild.plan import parsing

    with ExitStack() as stack:
        stack.enter_context(output_is_no_input(output, {"the plan": None if plan == "-" else plan}))
        stream = _opened(plan, stack)
        first = stream.readline()
        folder = _base(plan, parsing.manifest_name(first, plan), base)
        whole = _chained(first, stream)
        read = builder.read_plan(whole, plan, os.fsdecode(folder), allow_outside=allow_outside)
        tell = operation_printer(folder) if settings.verbose else None
        progress = stack.enter_context(shown_progress(settings, tell is None))
        try:
            result = builder.execute(
                read,
                output,
                base=base_image(image, offset, partition),
                progress=progress,
                tell=tell,
                jobs=jobs,
                check=True if check else None,
            )
        except ManifestError as error:
            if base is None and "does not exist" in str(error) and not settings.json:
                hint = f"sources are looked for in {os.fsdecode(folder)}; --base DIR names another folder"
                say(f"note: {hint}")
            raise
    _say_built(result, settings)


def _print_plan(plan: Plan, base: bytes) -> None:
    from ntfsbuild.plan.model import OpenBase
    from ntfsbuild.report.plans import operation_text, summary

    done: list[Operation] = []
    for operation in plan.operations:
        done.append(operation)
        print(operation_text(operation, content_size(operation), base, on_base=isinstance(done[0], OpenBase)))
        if not isinstance(done[0], OpenBase):
            done = done[:1]
    if done and isinstance(done[0], OpenBase):
        print(summary(done))


def _opened(plan: str, stack: ExitStack) -> IO[bytes]:
    from ntfsbuild.content.file_kinds import head_of, refuse_other_than_plan
    from ntfsbuild.content.host_file import open_given

    if plan == "-":
        stream: IO[bytes] = binary_input()
    else:
        stream = stack.enter_context(os.fdopen(open_given(plan, "a plan"), "rb"))
    refuse_other_than_plan(head_of(stream), plan)
    return stream


def _chained(first: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from stream


def _base(plan: str, manifest_name: str, base: str | None) -> bytes:
    """The folder of the manifest that a plan was made from."""
    if base is None:
        base = "." if plan == "-" else os.path.dirname(plan) or "."
        beside = os.path.join(base, os.path.basename(manifest_name))
        if not os.path.exists(beside) and os.path.exists(os.path.basename(manifest_name)):
            base = "."
    return os.path.realpath(os.fsencode(base))


def _say_built(result: BuildResult, settings: Settings) -> None:
    if settings.json:
        print(json.dumps(result._asdict(), ensure_ascii=False))
        return
    say_damage(result.path, result.notes, settings)
    if not settings.quiet:
        from ntfsbuild.report.words import count_text, escaped, size_text

        files = count_text(result.files, "file", "files")
        directories = count_text(result.directories, "directory", "directories")
        print(f"{escaped(result.path)}: {size_text(result.size_bytes)}, {files}, {directories}")
