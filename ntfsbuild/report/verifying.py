"""The findings of `verify` as text and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ntfsbuild.builder.verifying import Verified
from ntfsbuild.checks.findings import Finding
from ntfsbuild.checks.rules import RULES
from ntfsbuild.report.words import count_text, escaped


def verified_data(verified: Verified) -> dict[str, Any]:
    """All findings as data; schemas/verify.schema.json describes it."""
    return {
        "image": verified.path,
        "offset": verified.offset_bytes,
        "clean": verified.is_clean,
        "records": verified.records,
        "clusters": verified.clusters,
        "errors": verified.count("error"),
        "warnings": verified.count("warning"),
        "notes": verified.count("note"),
        "findings": [_finding_data(one) for one in verified.findings],
        "counts": verified.counts,
    }


def _finding_data(one: Finding) -> dict[str, Any]:
    rule = RULES[one.rule]
    return {
        "rule": rule.id,
        "severity": rule.severity,
        "title": rule.title,
        "meaning": rule.meaning,
        "record": one.record,
        "path": one.path or None,
        "attribute": one.attribute or None,
        "offset": one.offset,
        "expected": one.expected,
        "found": one.found,
    }


def verified_lines(verified: Verified, *, verbose: bool) -> Iterator[str]:
    """A line or two for each finding, and a summary; with `verbose`, each finding has its meaning."""
    explained: set[str] = set()
    for one in verified.findings:
        yield escaped(_text(one))
        if verbose or one.rule not in explained:
            yield f"    {RULES[one.rule].meaning}"
        explained.add(one.rule)
    for rule, count in verified.counts.items():
        shown = sum(one.rule == rule for one in verified.findings)
        if count > shown:
            yield f"{RULES[rule].severity} {rule}: {count - shown:,} more"
    yield f"{escaped(verified.path)}: {summary(verified)}"


def _text(one: Finding) -> str:
    rule = RULES[one.rule]
    places = ["the volume" if one.record is None else f"record {one.record}"]
    if one.path:
        places.append(one.path)
    if one.attribute:
        places.append(one.attribute)
    if one.offset is not None:
        places.append(f"at {one.offset:#x}")
    where = " ".join(places)
    return f"{rule.severity} {rule.id}: {where}: {rule.title}: expected {one.expected}, found {one.found}"


def summary(verified: Verified) -> str:
    """The number of findings of each severity, and of what was checked."""
    looked_at = f"{count_text(verified.records, 'record', 'records')}, {verified.clusters:,} clusters"
    if not verified.counts:
        return f"clean ({looked_at})"
    counts = (("error", "errors"), ("warning", "warnings"), ("note", "notes"))
    said = [count_text(verified.count(one), one, many) for one, many in counts if verified.count(one)]  # type: ignore[arg-type]
    return f"{', '.join(said)} ({looked_at})"
