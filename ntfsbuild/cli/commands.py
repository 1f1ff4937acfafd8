"""The module of each command.  Only modules that a command line needs are imported."""

from __future__ import annotations

import importlib
import os

import click

from ntfsbuild.cli.app import app
from ntfsbuild.cli.settings import COMPLETION_VARIABLE, PROGRAM, Settings

# If the command is the first argument, only its own module is imported.
MODULES = {
    "apply": "changing",
    "build": "building",
    "capture": "capturing",
    "cat": "reading",
    "completion": "describing",
    "diff": "comparing",
    "execute": "building",
    "explain": "explaining",
    "extract": "extracting",
    "ls": "reading",
    "plan": "building",
    "schema": "describing",
    "stat": "reading",
    "tree": "reading",
    "validate": "building",
    "verify": "verifying",
}


def run(arguments: list[str], settings: Settings) -> int:
    """Parse the arguments and run the command; errors pass through."""
    load_commands(arguments)
    if asked := os.environ.get(COMPLETION_VARIABLE):
        return _complete(asked)
    with app.make_context(PROGRAM, arguments, obj=settings) as context:
        code = app.invoke(context)
    return code if isinstance(code, int) else 0


def load_commands(arguments: list[str]) -> None:
    """Import the modules that add the commands to `app`: one where the command is clear, else all."""
    one = MODULES.get(arguments[0]) if arguments and COMPLETION_VARIABLE not in os.environ else None
    for module in [one] if one else dict.fromkeys(MODULES.values()):
        importlib.import_module(f"ntfsbuild.cli.{module}")


def _complete(asked: str) -> int:
    """Print completions for a shell; `asked` is the request of the script that `completion` printed."""
    from click.shell_completion import shell_complete

    if shell_complete(app, {}, PROGRAM, COMPLETION_VARIABLE, asked):
        raise click.UsageError(f'{COMPLETION_VARIABLE}: "{asked}" is not what a completion script asks for')
    return 0
