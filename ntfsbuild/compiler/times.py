"""The four times of a file: the nearest defaults win, for each time separately."""

from __future__ import annotations

from ntfsbuild.manifest.model import Times, TimesSpec
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks

# The default without SOURCE_DATE_EPOCH: 1980-01-01, the oldest time that every tool can show.
DEFAULT_TICKS = 119_600_064_000_000_000


class TimesRule(NamedTuple):
    """The default times at one place of the tree.

    `ticks` are used if the source has no times or they are not wanted; with `from_source`, the source's time
    replaces every time that the manifest does not give (`said`).
    """

    ticks: Ticks4
    from_source: bool = False
    said: tuple[bool, bool, bool, bool] = (False, False, False, False)

    def narrowed(self, spec: TimesSpec) -> TimesRule:
        """The rule for a deeper place, for which the manifest gives `spec`."""
        if spec is None:
            return self
        if spec == "source":
            return TimesRule(self.ticks, from_source=True)
        assert isinstance(spec, Times)
        given = tuple(spec)
        ticks = tuple(mine if one is None else one for one, mine in zip(given, self.ticks, strict=True))
        said = tuple(one is not None or mine for one, mine in zip(given, self.said, strict=True))
        return TimesRule(ticks, self.from_source, said)  # type: ignore[arg-type]

    def said_of(self, ticks: Ticks4, *, from_source: bool = False) -> SomeTicks:
        """The times that the manifest or a source gives; None for the others."""
        if from_source:
            return ticks
        one, two, three, four = (mine if said else None for mine, said in zip(ticks, self.said, strict=True))
        return one, two, three, four

    def of_source(self, mtime_ticks: int | None) -> Ticks4:
        """The times of a file whose source has that modification time."""
        if mtime_ticks is None or not self.from_source:
            return self.ticks
        one, two, three, four = (
            mine if said else mtime_ticks for mine, said in zip(self.ticks, self.said, strict=True)
        )
        return one, two, three, four
