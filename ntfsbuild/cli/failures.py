"""The message of an error, and the exit code of its kind.

With `--json` standard error gets one JSON document:
{"error": {"kind": "manifest", "exit_code": 2, "message": "…", "problems": [{"file", "line", …}]}}
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback

import click

from ntfsbuild.cli.settings import PROGRAM, Settings
from ntfsbuild.cli.streams import finish_output, sayable
from ntfsbuild.errors import EXIT_BUG, HostError, ManifestError, NtfsBuildError
from ntfsbuild.report.failures import failure_data, failure_text

_EXIT_PIPE = 141  # As a program that SIGPIPE ended.


def report(error: Exception, settings: Settings) -> int:
    """Print the error on standard error and return the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if _nobody_reads(error):
        finish_output()
        return _EXIT_PIPE
    known = _known(error)
    with sayable():
        if settings.debug and not isinstance(error, click.ClickException):
            traceback.print_exception(error)
        if known is None:
            _say_bug(error, settings)
        elif isinstance(error, click.UsageError) and not settings.json:
            error.show(sys.stderr)
        elif settings.json:
            print(json.dumps(failure_data(known), ensure_ascii=False), file=sys.stderr)
        else:
            print(failure_text(known, PROGRAM), file=sys.stderr)
    finish_output()  # It may have been the output that failed.
    return EXIT_BUG if known is None else known.exit_code


def _nobody_reads(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _known(error: Exception) -> NtfsBuildError | None:
    """The error as an `NtfsBuildError`; None if it is a bug of ntfsbuild."""
    match error:
        case NtfsBuildError():
            return error
        case click.ClickException():
            return ManifestError(error.format_message())
        case OSError():
            return HostError(_host_words(error))
        case MemoryError():
            return HostError("not enough memory")
    return None


def _host_words(error: OSError) -> str:
    words = error.strerror or str(error) or type(error).__name__
    return words if error.filename is None else f"{os.fsdecode(error.filename)}: {words}"


def _say_bug(error: Exception, settings: Settings) -> None:
    name = type(error).__name__
    message = " ".join(f"{name}: {error}".split()) if str(error) else name
    hint = "" if settings.debug else "; run with --debug for the traceback"
    if settings.json:
        data = {"error": {"kind": "bug", "exit_code": EXIT_BUG, "message": message}}
        print(json.dumps(data, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"{PROGRAM}: bug: {message}{hint}", file=sys.stderr)
