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
    _flag("-q", "--quiet", setting="quiet", text="Say nothing but results that were asked for, and errors."),
    _flag("-v", "--verbose", setting="verbose", text="Say more."),
    _flag("--debug", setting="debug", text="Show the traceback of an error."),
)


class HostPath(click.Path):
    """A path of the host, which is judged by who opens it: there the exit code follows from the blame."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Only what can be no path at all is refused."""
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
    epilog="Exit codes: 0 done; 1 verify found something, or a reader went on behind damage; 2 the manifest, "
    "the plan or the arguments are wrong; 3 the volume is; 4 the host refuses; 70 a bug of ntfsbuild.",
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
    """The option that says how many processes may work."""
    return click.option(
        "--jobs",
        type=click.IntRange(1, 1024),
        default=lambda: len(os.sched_getaffinity(0)),
        show_default="the processors there are",
        metavar="N",
        help="How many processes compress files; the image is the same for any number.",
    )(command)


def verify_option(command: _Command) -> _Command:
    """The option that has the result checked before it takes its place."""
    return click.option(
        "--verify",
        is_flag=True,
        help="Hold the volume to every rule, as `verify` does, before the image takes its place.",
    )(command)


def allow_outside(command: _Command) -> _Command:
    """The option that widens where sources may lie."""
    return click.option(
        "--allow-outside",
        multiple=True,
        metavar="DIR",
        type=HostPath(),
        help="Let sources lie in this folder too, outside the manifest's. May be given several times.",
    )(command)
