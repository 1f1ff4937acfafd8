"""The 8.3 names of one directory: those that the manifest says, and those that are made as Windows does."""

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
    """
    folded = dict(zip(every, names.folded(every), strict=True))
    taken = set(folded.values())
    found: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for name in every:
        own = said.get(name)
        if isinstance(own, str):
            (key,) = names.folded([own])
            if key != folded[name] and key in taken:
                problems.append((name, f"short_name: {own} is the name of something else in the directory"))
            taken.add(key)
            found[name] = name if key == folded[name] else own
    maker = ShortNames()
    own_short: set[str] = set()
    for name in every:
        own = said.get(name)
        if own is False and made_later:
            found[name] = NO_SHORT_NAME
        if own is None:
            own = by_default
        if own is not True:
            continue
        if is_short(name):
            # Where names differ in case alone, one of them is the short name.
            if folded[name] not in own_short:
                own_short.add(folded[name])
                found[name] = name
        elif made_later:
            found[name] = MADE_SHORT_NAME
        else:
            found[name] = maker.make(name, taken)
            taken.add(found[name])
    return found, problems
