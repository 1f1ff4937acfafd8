"""build, validate, plan, execute: from manifests and saved plans to images."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

import click

from ntfsbuild.cli.app import HostPath, allow_outside, app, common, manifest_options
from ntfsbuild.cli.progress import shown_progress
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import binary_input, save, say
from ntfsbuild.errors import ManifestError

if TYPE_CHECKING:
    from ntfsbuild.builder import BuildResult
    from ntfsbuild.plan.model import Operation, Plan

output_option = click.option(
    "-o", "--output", required=True, metavar="IMAGE", type=HostPath(), help="Where the image is put."
)


@app.command()
@manifest_options
@output_option
@common
@click.pass_obj
def build(settings: Settings, manifest: str, output: str, allow_outside: tuple[str, ...]) -> None:
    """Build the image that MANIFEST describes; with -v, tell each step on standard error.

    IMAGE is replaced when the new one is complete; a build that fails leaves it as it was.
    """
    from ntfsbuild import builder

    if settings.verbose:
        plan = _told(_planned(manifest, allow_outside, pin_sources=False), _folder_of(manifest))
        result = builder.execute(plan, output)
    else:
        with shown_progress(settings) as progress:
            result = builder.build(
                manifest,
                output,
                allow_outside=allow_outside,
                default_ticks=source_date_ticks(),
                progress=progress,
            )
    _say_built(result, settings)


@app.command()
@manifest_options
@common
@click.pass_obj
def validate(settings: Settings, manifest: str, allow_outside: tuple[str, ...]) -> int:
    """Do all that a build of MANIFEST does, but write nothing: what is valid here can be built.

    With --json the answer is {"valid": …, "problems": […]} on standard output.
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
@click.option("-o", "--output", metavar="FILE", type=HostPath(), help="Save the plan there, as JSON lines.")
@common
@click.pass_obj
def plan(settings: Settings, manifest: str, output: str | None, allow_outside: tuple[str, ...]) -> None:
    """Print what would be done to build MANIFEST, in order.

    With --json, or -o, as JSON lines that `execute` takes, with the size and SHA-256 of every source.
    """
    pinned = settings.json or output is not None
    made = _planned(manifest, allow_outside, pin_sources=pinned)
    base = _folder_of(manifest)
    if not pinned:
        _print_plan(made, base)
        return
    from ntfsbuild import builder

    lines = builder.save_plan(made, os.fsdecode(base))
    if output is None:
        sys.stdout.writelines(lines)
        return
    save(output, (line.encode() for line in lines))
    if _folder_of(output) != base and not settings.quiet:
        where = os.path.dirname(manifest) or "."
        say(f"note: the plan is for sources in {where}: execute it with --base {where}")


@app.command()
@click.argument("plan", type=HostPath())
@output_option
@click.option(
    "--base",
    metavar="DIR",
    type=HostPath(),
    help="The manifest's folder, from which sources are looked for. Default: the folder of PLAN, "
    "or the working directory when the manifest lies there and not beside PLAN.",
)
@allow_outside
@common
@click.pass_obj
def execute(
    settings: Settings, plan: str, output: str, base: str | None, allow_outside: tuple[str, ...]
) -> None:
    """Build the image of a saved PLAN (- is standard input); with -v, tell each step."""
    from ntfsbuild import builder
    from ntfsbuild.plan import parsing

    with ExitStack() as stack:
        stream = _opened(plan, stack)
        first = stream.readline()
        folder = _base(plan, parsing.manifest_name(first, plan), base)
        whole = _chained(first, stream)
        read = builder.read_plan(whole, plan, os.fsdecode(folder), allow_outside=allow_outside)
        progress = None if settings.verbose else stack.enter_context(shown_progress(settings))
        try:
            read = _told(read, folder) if settings.verbose else read
            result = builder.execute(read, output, progress=progress)
        except ManifestError as error:
            if base is None and "does not exist" in str(error) and not settings.json:
                hint = f"sources are looked for in {os.fsdecode(folder)}; --base DIR names another folder"
                say(f"note: {hint}")
            raise
    _say_built(result, settings)


def source_date_ticks() -> int | None:
    """SOURCE_DATE_EPOCH as ticks: the time of everything that the manifest gives no time."""
    from ntfsbuild.ondisk.filetime import filetime_from_unix_ns

    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    try:
        if not re.fullmatch(r"-?[0-9]{1,12}", text, re.ASCII):
            raise ValueError("not a number of seconds since 1970-01-01")
        return filetime_from_unix_ns(int(text) * 1_000_000_000)
    except ValueError as failure:
        raise ManifestError(f'SOURCE_DATE_EPOCH: "{text}" is {failure}') from None


def _planned(manifest: str, allow_outside: tuple[str, ...], *, pin_sources: bool) -> Plan:
    from ntfsbuild import builder

    return builder.make_plan(
        builder.load(manifest),
        allow_outside=allow_outside,
        default_ticks=source_date_ticks(),
        pin_sources=pin_sources,
    )


def _folder_of(path: str) -> bytes:
    return os.path.realpath(os.fsencode(os.path.dirname(os.path.abspath(path))))


def _told(plan: Plan, base: bytes) -> Plan:
    """The same plan, each operation told on standard error as it is carried out."""
    from ntfsbuild.report.plans import operation_text

    def tell(operation: Operation) -> Operation:
        print(operation_text(operation, _content_size(operation), base), file=sys.stderr)
        return operation

    return dataclasses.replace(plan, operations=map(tell, plan.operations))


def _print_plan(plan: Plan, base: bytes) -> None:
    from ntfsbuild.report.plans import operation_text

    for operation in plan.operations:
        print(operation_text(operation, _content_size(operation), base))


def _content_size(operation: Operation) -> int | None:
    from ntfsbuild.content.read import size_of
    from ntfsbuild.plan.model import MakeFile

    return size_of(operation.content) if isinstance(operation, MakeFile) else None


def _opened(plan: str, stack: ExitStack) -> IO[bytes]:
    if plan == "-":
        return binary_input()
    from ntfsbuild.content.host_file import open_given

    return stack.enter_context(os.fdopen(open_given(plan, "a plan"), "rb"))


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
    elif not settings.quiet:
        from ntfsbuild.report.words import count_text, escaped, size_text

        files = count_text(result.files, "file", "files")
        directories = count_text(result.directories, "directory", "directories")
        print(f"{escaped(result.path)}: {size_text(result.size_bytes)}, {files}, {directories}")
