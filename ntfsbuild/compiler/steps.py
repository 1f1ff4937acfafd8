"""Resolves steps: their times and sources; checks their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from ntfsbuild.compiler.features import FeaturePlanner, attributes_of
from ntfsbuild.compiler.sources import HostSources
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.content.read import size_of
from ntfsbuild.errors import ManifestError, Problem
from ntfsbuild.manifest import model
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC
from ntfsbuild.manifest.model import Manifest, Times
from ntfsbuild.ondisk import names
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME, SomeTicks
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import (
    DeleteStep,
    LabelStep,
    LinkStep,
    MkdirStep,
    RenameStep,
    SetStep,
    Step,
    TruncateStep,
    WriteStep,
)

_NO_TIMES: SomeTicks = (None, None, None, None)


class StepPlanner:
    """Resolves the steps of one manifest; collects everything that is wrong with them."""

    def __init__(
        self,
        manifest: Manifest,
        sources: HostSources,
        default_ticks: int,
        pin: Callable[[Content], Content],
    ) -> None:
        self._manifest = manifest
        self._sources = sources
        self._default_ticks = default_ticks
        self._pin = pin
        self._features = FeaturePlanner(manifest, sources, pin)
        self._posix_names = manifest.defaults.names == "posix"
        self.problems: list[Problem] = []

    def steps(self) -> list[Step]:
        """All steps, in their order."""
        return [self._step(number, step) for number, step in enumerate(self._manifest.steps)]

    def _features_of(self, number: int, step: model.MkdirStepSpec | model.SetStepSpec) -> Features:
        if step.features is NO_FEATURE_SPEC:
            return NO_FEATURES
        try:
            return self._features.of_step(step.path, step.features)
        except ManifestError as error:
            self._say(number, step.position, "", str(error))
            return NO_FEATURES

    def _ticks(self, number: int, own: int | None) -> int:
        if own is not None:
            return own
        clock = self._manifest.clock
        return self._default_ticks if clock is None else clock.start_ticks + number * clock.step_ticks

    def _step(self, number: int, step: model.Step) -> Step:
        ticks, origin, posix = self._ticks(number, step.ticks), step.position, self._posix_names
        match step:
            case model.WriteStepSpec():
                content = self._content(number, step)
                return WriteStep(step.path, step.at, content, step.stream, posix, ticks, origin)
            case model.TruncateStepSpec():
                return TruncateStep(step.path, step.size_bytes, step.stream, ticks, origin)
            case model.RenameStepSpec():
                self._check_name(number, step.position, "to", step.to)
                return RenameStep(step.path, step.to, step.replace, posix, ticks, origin)
            case model.LinkStepSpec():
                self._check_name(number, step.position, "to", step.to)
                short_name = MADE_SHORT_NAME if step.short_name is True else step.short_name
                return LinkStep(step.path, step.to, posix, ticks, origin, short_name)
            case model.DeleteStepSpec():
                return DeleteStep(step.path, step.stream, step.recursive, ticks, origin)
            case model.MkdirStepSpec():
                self._check_name(number, step.position, "mkdir", step.path)
                times: Ticks4 = (ticks, ticks, ticks, ticks)
                if isinstance(step.times, Times):
                    created, modified, changed, accessed = (
                        ticks if given is None else given for given in step.times
                    )
                    times = created, modified, changed, accessed
                features = self._features_of(number, step)
                attributes = attributes_of(step.attributes, features, 0)
                return MkdirStep(step.path, times, attributes, posix, ticks, origin, features)
            case model.TouchStepSpec():
                return SetStep(step.path, _some(step.times), None, ticks, origin)
            case model.SetStepSpec():
                features = self._features_of(number, step)
                return SetStep(step.path, _some(step.times), step.attributes, ticks, origin, features)
            case model.LabelStepSpec():
                return LabelStep(step.label, ticks, origin)
            case _:
                assert_never(step)

    def _content(self, number: int, step: model.WriteStepSpec) -> Content:
        try:
            content = self._sources.with_digest(self._sources.resolved(step.content), step.sha256)
            if isinstance(content, HostFile):
                size_of(content)  # A missing source is reported before anything is done.
            return self._pin(content)
        except ManifestError as error:
            self._say(number, step.source_position, "source", str(error))
            return step.content

    def _check_name(self, number: int, position: int, key: str, path: str) -> None:
        if wrong := names.what_is_wrong(path.rpartition("/")[2], posix=self._posix_names):
            self._say(number, position, key, f"{path}: {wrong}")

    def _say(self, number: int, position: int, key: str, message: str) -> None:
        mark = self._manifest.mark(position)
        self.problems.append(Problem(mark, f"steps[{number}]: {key}", message))


def _some(times: Times | None) -> SomeTicks:
    return _NO_TIMES if times is None else (times.created, times.modified, times.changed, times.accessed)
