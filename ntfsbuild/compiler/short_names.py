"""The 8.3 names of one directory: those of the manifest, and those made as Windows makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ntfsbuild.ondisk import names
from ntfsbuild.ondisk.short_names import ShortNames, is_short
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME, NO_SHORT_NAME


def given(
    every: Sequence[str], said: Mapping[str, str | bool | None], by_default: bool, *, made_later: bool
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The short name of each long one in `every`, and what is wrong: names with messages.

    `said` is a name, True (make one) or False (none).  On a base only the volume knows which names are
    taken: with `made_later`, it makes them, and takes away those that must not be.

    As on Windows, a name that only POSIX allows has no short one: one that Win32 cannot open, and all but
    the first of those that differ in case alone.
    """
    folded = dict(zip(every, names.folded(every), strict=True))
    taken = set(folded.values())
    found: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    win32: dict[str, str] = {}  # By the upper case of a name: that which has a short one.
    for name in every:
        own = said.get(name)
        if isinstance(own, str):
            if why := _why_none(name, win32.get(folded[name])):
                problems.append((name, f"short_name: {why}"))
                continue
            win32[folded[name]] = name
            (key,) = names.folded([own])
            if key != folded[name] and key in taken:
                problems.append((name, f"short_name: {own} is the name of something else in the directory"))
            taken.add(key)
            found[name] = name if key == folded[name] else own
    maker = ShortNames()
    for name in every:
        own = said.get(name)
        if own is False and made_later:
            found[name] = NO_SHORT_NAME
        if own is None:
            own = by_default
        if own is not True or _why_none(name, win32.get(folded[name])):
            continue
        win32[folded[name]] = name
        if is_short(name):
            found[name] = name
        elif made_later:
            found[name] = MADE_SHORT_NAME
        else:
            found[name] = maker.make(name, taken)
            taken.add(found[name])
    return found, problems


def _why_none(name: str, same: str | None) -> str | None:
    """Why Windows gives a name no short one, in words; `same` has one, and differs in case at most."""
    if same is not None:
        return f"{same} has one, and differs in case alone"
    problem = names.what_is_wrong(name, posix=False)
    return problem and f"{problem.partition(';')[0]}, and such a name has no short one"
