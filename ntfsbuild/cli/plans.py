"""Functions shared by the commands that make or execute plans."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ntfsbuild.errors import ManifestError

if TYPE_CHECKING:
    from ntfsbuild.plan.model import Operation


def source_date_ticks() -> int | None:
    """SOURCE_DATE_EPOCH as ticks: the default for times that the manifest does not give."""
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


def folder_of(path: str) -> bytes:
    """The real folder of a file; the paths of its sources are relative to it."""
    return os.path.realpath(os.fsencode(os.path.dirname(os.path.abspath(path))))


def operation_printer(base: bytes) -> Callable[[Operation], None]:
    """A function that prints each operation of a plan on standard error."""
    from ntfsbuild.plan.model import OpenBase
    from ntfsbuild.report.plans import operation_text

    on_base = False

    def tell(operation: Operation) -> None:
        nonlocal on_base
        on_base = on_base or isinstance(operation, OpenBase)
        text = operation_text(operation, content_size(operation), base, on_base=on_base)
        print(text, file=sys.stderr)

    return tell


def content_size(operation: Operation) -> int | None:
    """The size of the content that an operation writes, in bytes."""
    from ntfsbuild.content.read import size_of
    from ntfsbuild.plan.model import MakeFile, ReplaceFile, WriteStep

    if isinstance(operation, MakeFile | ReplaceFile | WriteStep):
        return size_of(operation.content)
    return None
