"""One step, carried out on a volume as a program would that has no manifest."""

from __future__ import annotations

from ntfsbuild.volume.write.editor import VolumeEditor
from tests.model.model import ARCHIVE, SETTABLE
from tests.model.steps import (
    TIMES,
    Step,
    attributes_of,
    content_of,
    operation_of,
    size_of,
    times_of,
)


def do(volume: VolumeEditor, step: Step, now: int, *, posix_names: bool) -> None:
    operation = operation_of(step)
    path = "/" + str(step[operation]).strip("/")
    match operation:
        case "label":
            volume.set_label(step["label"])
        case "write" | "append":
            _write(volume, step, path, now, posix_names)
        case "truncate":
            volume.truncate(path, size_of(step["size"]), now, step.get("stream", ""))
        case "rename":
            replace = step.get("replace", False)
            volume.rename(path, "/" + step["to"], now, replace=replace, posix_names=posix_names)
        case "link":
            volume.link(path, "/" + step["to"], now, posix_names=posix_names)
        case "delete" if "stream" in step:
            volume.remove_stream(path, step["stream"], now)
        case "delete":
            volume.remove(path, now, recursive=step.get("recursive", False))
        case "mkdir":
            one, two, three, four = (now if said is None else said for said in times_of(step))
            attributes = attributes_of(step) or 0
            volume.make_directory(path, (one, two, three, four), attributes, now=now, posix_names=posix_names)
        case _:
            _set(volume, step, path, now)


def _write(volume: VolumeEditor, step: Step, path: str, now: int, posix_names: bool) -> None:
    data, stream, times = content_of(step), step.get("stream", ""), (now,) * 4
    if not volume.exists(path):
        if not stream and not step.get("at"):
            volume.make_file(path, data, times, ARCHIVE, posix_names=posix_names)
            return
        volume.make_file(path, b"", times, ARCHIVE, posix_names=posix_names)
    if "append" in step:
        volume.append(path, data, now, stream)
    else:
        volume.write(path, size_of(step.get("at", 0)), data, now, stream)


def _set(volume: VolumeEditor, step: Step, path: str, now: int) -> None:
    """Setting something is a change of the record, whose time can be said as well."""
    attributes = attributes_of(step)
    if attributes is not None:
        volume.set_attributes(path, attributes, SETTABLE, now)
    times = dict(zip(TIMES, times_of(step), strict=True))
    if times["changed"] is None:
        times["changed"] = now
    volume.set_times(path, **times)
