"""Errors, as lines for people and as data."""

from __future__ import annotations

from typing import Any

from ntfsbuild.errors import CorruptVolume, HostError, ManifestError, NtfsBuildError, Problem
from ntfsbuild.report.words import escaped

_KINDS: dict[type[NtfsBuildError], str] = {
    ManifestError: "manifest",
    CorruptVolume: "corrupt_volume",
    HostError: "host",
}


def failure_text(error: NtfsBuildError, program: str) -> str:
    """A line for each problem, which begins with its position, or else with the program's name."""
    if isinstance(error, ManifestError) and error.problems:
        return "\n".join(escaped(str(problem)) for problem in error.problems)
    return "\n".join(f"{program}: {escaped(line)}" for line in str(error).split("\n"))


def failure_data(error: NtfsBuildError) -> dict[str, Any]:
    """The same as data; problems of a manifest, which have positions, are in `problems`."""
    kind = next((kind for each, kind in _KINDS.items() if isinstance(error, each)), "volume")
    data: dict[str, Any] = {"kind": kind, "exit_code": error.exit_code, "message": str(error)}
    if isinstance(error, ManifestError):
        data["problems"] = problems_data(error)
    return {"error": data}


def problems_data(error: ManifestError) -> list[dict[str, Any]]:
    """Each problem with its place; one without a place has only its message."""
    if not error.problems:
        return [{"message": line} for line in str(error).split("\n")]
    return [_problem_data(problem) for problem in error.problems]


def _problem_data(problem: Problem) -> dict[str, Any]:
    mark = problem.mark
    place = {"file": mark.file, "line": mark.line, "column": mark.column}
    return {**place, "path": problem.path, "message": problem.message}
