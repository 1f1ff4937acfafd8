"""Carries a plan out on a volume: nothing is left to choose here.

fresh.py     a format and a tree, on empty storage
changing.py  a tree laid over a volume that is there, and steps on any
filling.py   where content goes into clusters
placing.py   errors with the place in the manifest that asked for what went wrong; progress
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.fresh import FreshExecution
from ntfsbuild.executor.placing import Executed, Progress, Report
from ntfsbuild.image.raw import ChangeableStorage, Storage
from ntfsbuild.plan.model import Format, OpenBase, Plan
from ntfsbuild.volume.write.compression_units import CompressMany, one_by_one

if TYPE_CHECKING:
    from ntfsbuild.volume.write.editor import VolumeEditor

__all__ = ["Executed", "Progress", "Report", "execute", "execute_on_base"]


def execute(
    plan: Plan,
    storage: Storage,
    report: Report | None = None,
    target: bytes | None = None,
    changeable: Callable[[], ChangeableStorage] | None = None,
    compress_many: CompressMany = one_by_one,
) -> Executed:
    """Carry out the operations of a plan that formats a volume on empty storage, in the order given.

    `target` is the path of the image, which cannot be its own source.  `changeable` opens what was
    written for the steps, if there are any.  `compress_many` compresses units: all give the same bytes.
    """
    operations = iter(plan.operations)
    first = next(operations, None)
    if isinstance(first, OpenBase):
        raise ManifestError(f"{plan.manifest_file}: the plan changes a volume: name its image with --image")
    if not isinstance(first, Format):
        raise ManifestError(f"{plan.manifest_file}: the plan does not begin with a format operation")
    fresh = FreshExecution(plan.manifest_file, first, storage, report, target, compress_many)
    done, step = fresh.run(operations)
    if step is None:
        return done
    assert changeable is not None, "steps need storage that can be read and changed"
    from ntfsbuild.executor.changing import ChangeExecution  # Late: most plans have no steps.
    from ntfsbuild.volume.write.editor import VolumeEditor

    volume = VolumeEditor(changeable(), check=False)  # It was written just now.
    steps = ChangeExecution(plan.manifest_file, volume, report, target, compress_many)
    steps.run(itertools.chain([step], operations))
    volume.commit()
    return done


def execute_on_base(
    plan: Plan,
    volume: VolumeEditor,
    report: Report | None = None,
    target: bytes | None = None,
    compress_many: CompressMany = one_by_one,
) -> Executed:
    """Carry out the operations of a plan that changes a volume; the caller commits."""
    from ntfsbuild.executor.changing import ChangeExecution

    operations = iter(plan.operations)
    first = next(operations, None)
    if not isinstance(first, OpenBase):
        raise ManifestError(f"{plan.manifest_file}: the plan does not begin with a base operation")
    if first.serial != volume.geometry.serial:
        raise ManifestError(
            f"{plan.manifest_file}: the plan was made for the volume with the serial number "
            f"{first.serial:016X}, this one is {volume.geometry.serial:016X}"
        )
    execution = ChangeExecution(plan.manifest_file, volume, report, target, compress_many, first)
    return execution.run(operations)
