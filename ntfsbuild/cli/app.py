"""The group that all commands belong to, and the options that several of them have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

import ntfsbuild
from ntfsbuild.cli.settings import PROGRAM, Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])


def common(command: _Command) -> _Command:
    """Add the options that may stand before or after the name of a command."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


def _flag(*names: str, setting: str, text: str) -> Callable[[_Command], _Command]:
    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        settings = context.ensure_object(Settings)
        setattr(settings, setting, value or getattr(settings, setting))

    return click.option(
        *names, is_flag=True, is_eager=True, expose_value=False, callback=keep, help=text, default=False
    )


_COMMON = (
    _flag("--json", setting="json", text="Print results and errors as JSON."),
    _flag("-q", "--quiet", setting="quiet", text="Print only requested results and errors."),
    _flag("-v", "--verbose", setting="verbose", text="Print more details, such as each operation."),
    _flag("--debug", setting="debug", text="Show the traceback of an error."),
)


class HostPath(click.Path):
    """A path of the host.  The code that opens it reports errors, with the exit code of their kind."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse only an empty path and one with U+0000."""
        text = os.fspath(value)
        if not text or "\0" in text:
            self.fail(
                "the path holds U+0000" if text else "the path is empty",
                parameter,
                context,
            )
        return str(text)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success; 1 verify found errors or warnings, diff found differences, or something "
    "could not be read; 2 error in the manifest, the plan or the arguments; 3 error in the volume; "
    "4 error of the host (no space, no permission); 70 a bug in ntfsbuild.",
)
@click.version_option(ntfsbuild.__version__, prog_name=PROGRAM)
@common
def app() -> None:
    """Build NTFS volumes from YAML manifests: no root, no mount, the same bytes on every machine."""


def manifest_options(command: _Command) -> _Command:
    """The argument and the options of every command that reads a manifest."""
    command = allow_outside(command)
    return click.argument("manifest", type=HostPath())(command)


def jobs_option(command: _Command) -> _Command:
    """The option that sets the number of processes."""
    return click.option(
        "--jobs",
        type=click.IntRange(1, 1024),
        default=lambda: len(os.sched_getaffinity(0)),
        show_default="all processors",
        metavar="N",
        help="Number of processes that compress files. The image does not depend on it.",
    )(command)


def verify_option(command: _Command) -> _Command:
    """The option that verifies the result before it replaces the output."""
    return click.option(
        "--verify",
        is_flag=True,
        help="Check the new volume against every rule, as `verify` does, before the output is replaced.",
    )(command)


def allow_outside(command: _Command) -> _Command:
    """The option that allows sources outside the manifest's folder."""
    return click.option(
        "--allow-outside",
        multiple=True,
        metavar="DIR",
        type=HostPath(),
        help="Allow sources in this folder, outside the manifest's folder. May be given several times.",
    )(command)
