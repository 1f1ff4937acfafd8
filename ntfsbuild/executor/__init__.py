"""Executes a plan on a volume; all decisions are in the plan.

execution.py      the operations, on a new volume or an existing one
stream_writer.py  streams of every form, made from contents
content_copy.py   copying content to clusters
progress.py       progress; errors with the position in the manifest that caused them
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from ntfsbuild.errors import ManifestError, NoRoom
from ntfsbuild.executor.execution import Execution
from ntfsbuild.executor.progress import Executed, Progress, Report, placed
from ntfsbuild.image.raw import ChangeableStorage, Storage
from ntfsbuild.plan.model import Format, OpenBase, Plan
from ntfsbuild.volume.format.formatter import Formatter
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.write.compression_units import CompressMany, one_by_one
from ntfsbuild.volume.write.existing import writer_of
from ntfsbuild.volume.write.writer import Writer

__all__ = ["Executed", "Progress", "Report", "execute", "execute_on_base"]


def execute(
    plan: Plan,
    storage: Storage,
    report: Report | None = None,
    target: bytes | None = None,
    changeable: Callable[[], ChangeableStorage] | None = None,
    compress_many: CompressMany = one_by_one,
) -> Executed:
    """Execute the operations of a plan that formats a volume on empty storage, in their order.

    `target` is the path of the image, which cannot be its own source.  `changeable` opens the written image
    for the steps, if there are any.  `compress_many` compresses units, always to the same bytes.
    """
    operations = iter(plan.operations)
    first = next(operations, None)
    file = plan.manifest_file
    if isinstance(first, OpenBase):
        raise ManifestError(f"{file}: the plan changes a volume: name its image with --image")
    if not isinstance(first, Format):
        raise ManifestError(f"{file}: the plan does not begin with a format operation")
    try:
        formatter = Formatter(storage, _options(first))
    except ManifestError as error:
        raise placed(error, file, first.origin, "volume") from None
    tree = Execution(
        file, formatter.writer, report, target, compress_many, formatter=formatter, files=first.files
    )
    step = tree.run(operations)
    done = tree.done._replace(geometry=_commit(formatter, file, first))
    if step is None:
        return done
    assert changeable is not None, "steps need storage that can be read and changed"
    writer = writer_of(changeable(), check=False)  # It was written just now.
    Execution(file, writer, report, target, compress_many).run(itertools.chain([step], operations))
    writer.commit()
    return done


def _commit(formatter: Formatter, file: str, operation: Format) -> Geometry:
    try:
        return formatter.commit()
    except NoRoom as error:
        # The manifest chose the size: the error is the manifest's, not the volume's.
        raise placed(error, file, operation.origin, "volume: size") from None
    except ManifestError as error:
        raise placed(error, file, operation.origin, "volume") from None


def execute_on_base(
    plan: Plan,
    writer: Writer,
    report: Report | None = None,
    target: bytes | None = None,
    compress_many: CompressMany = one_by_one,
) -> Executed:
    """Execute the operations of a plan that changes a volume; the caller commits."""
    operations = iter(plan.operations)
    first = next(operations, None)
    if not isinstance(first, OpenBase):
        raise ManifestError(f"{plan.manifest_file}: the plan does not begin with a base operation")
    if first.serial != writer.geometry.serial:
        raise ManifestError(
            f"{plan.manifest_file}: the plan was made for the volume with the serial number "
            f"{first.serial:016X}, this one is {writer.geometry.serial:016X}"
        )
    if first.label is not None:
        writer.set_label(first.label)
    if first.object_id is not None:
        writer.set_volume_object_id(first.object_id)
    writer.transaction.mft_file.expect(first.directories + first.files)
    execution = Execution(
        plan.manifest_file, writer, report, target, compress_many, base=first, files=first.files
    )
    execution.run(operations)
    return execution.done


def _options(operation: Format) -> FormatOptions:
    return FormatOptions(
        size_bytes=operation.size_bytes,
        extra_bytes=operation.extra_bytes,
        extra_percent=operation.extra_percent,
        label=operation.label,
        serial=operation.serial,
        cluster_bytes=operation.cluster_bytes,
        sector_bytes=operation.sector_bytes,
        record_bytes=operation.record_bytes,
        hidden_sectors=operation.hidden_sectors,
        sectors_per_track=operation.sectors_per_track,
        heads=operation.heads,
        times=operation.times,
        expected_records=operation.directories + operation.files,
        object_id=operation.object_id,
        short_names=operation.short_names,
    )
