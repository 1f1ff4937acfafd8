"""schema and completion: descriptions of ntfsbuild for other tools."""

from __future__ import annotations

import click

from ntfsbuild.cli.app import app, common
from ntfsbuild.cli.settings import COMPLETION_VARIABLE, PROGRAM


@app.command()
@click.argument(
    "what", type=click.Choice(["manifest", "plan", "listing", "verify", "diff"]), default="manifest"
)
@common
def schema(what: str) -> None:
    """Print a JSON Schema: of manifests, of a line of a plan, or of the --json output of a command."""
    from ntfsbuild.manifest.schema_files import schema_text

    print(schema_text(what), end="")


@app.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
def completion(shell: str) -> None:
    """Print a script for SHELL that completes ntfsbuild's commands.

    For bash: eval "$(ntfsbuild completion bash)"
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(app, {}, PROGRAM, COMPLETION_VARIABLE).source())
