"""Files of a volume as text (names, columns, a drawn tree) and as data."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import file_name
from ntfsbuild.ondisk.file_attributes import FileAttributes, attribute_names
from ntfsbuild.ondisk.standard_information import TIME_NAMES, Ticks4
from ntfsbuild.report.traits import traits_data, traits_texts
from ntfsbuild.report.words import count_text, escaped, exact_time, time_text

if TYPE_CHECKING:
    from ntfsbuild.volume.geometry import Geometry
    from ntfsbuild.volume.read.info import DirectoryItem, FileDetails, StreamInfo

_CACHED = 1 << 10
_json = json.JSONEncoder(ensure_ascii=False).encode
_NAMESPACES = {
    file_name.POSIX: "posix",
    file_name.WIN32: "win32",
    file_name.DOS: "dos",
    file_name.WIN32_AND_DOS: "win32+dos",
}
_LETTERS = (
    (FileAttributes.READONLY, "r"),
    (FileAttributes.HIDDEN, "h"),
    (FileAttributes.SYSTEM, "s"),
    (FileAttributes.ARCHIVE, "a"),
    (FileAttributes.COMPRESSED, "c"),
    (FileAttributes.ENCRYPTED, "e"),
    (FileAttributes.SPARSE, "p"),
    (FileAttributes.REPARSE_POINT, "l"),
)


class Listed(NamedTuple):
    """A file or directory as a listing shows it."""

    path: str
    is_directory: bool
    size_bytes: int
    attributes: int
    times: Ticks4
    record: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2] or "/"


def listed_data(item: Listed) -> dict[str, Any]:
    """One item as data."""
    return {
        "path": item.path,
        "name": item.name,
        "type": "directory" if item.is_directory else "file",
        "size_bytes": item.size_bytes,
        "attributes": attribute_names(item.attributes),
        "times": times_data(item.times),
        "record": item.record,
    }


def listed_line(item: Listed) -> str:
    """The same as JSON, put together from pieces that most items share."""
    path = _json(item.path)
    name = path.rpartition("/")[2]  # JSON leaves slashes as they are.
    name = name if len(name) > 1 else '/"'
    return (
        f'{{"path": {path}, "name": "{name}, '
        f'"type": "{"directory" if item.is_directory else "file"}", "size_bytes": {item.size_bytes}, '
        f'"attributes": {_attributes_json(item.attributes)}, "times": {_times_json(item.times)}, '
        f'"record": {item.record}}}'
    )


@functools.lru_cache(maxsize=_CACHED)
def _attributes_json(attributes: int) -> str:
    return _json(attribute_names(attributes))


@functools.lru_cache(maxsize=_CACHED)
def _times_json(times: Ticks4) -> str:
    return _json(times_data(times))


def times_data(times: Ticks4) -> dict[str, Any]:
    """Four times by name, exact."""
    return {name: exact_time(ticks) for name, ticks in zip(TIME_NAMES, times, strict=True)}


def name_text(item: Listed, *, whole_path: bool) -> str:
    """The name alone; that of a directory ends in a slash."""
    text = item.path if whole_path else item.name
    return escaped(text + "/" if item.is_directory and not text.endswith("/") else text)


def long_text(item: Listed, *, whole_path: bool) -> str:
    """Attributes, size, time of modification (UTC) and name in columns."""
    letters = "d" if item.is_directory else "-"
    letters += "".join(letter if item.attributes & flag else "-" for flag, letter in _LETTERS)
    size = "" if item.is_directory else str(item.size_bytes)
    return f"{letters} {size:>13}  {time_text(item.times[1])}  {name_text(item, whole_path=whole_path)}"


def tree_lines(top: str, drawn: Iterable[tuple[int, str]]) -> Iterator[str]:
    """A drawn tree, from depths and names in the order of a walk, then the numbers of files and directories.

    What lies in `top` has depth 0.  A file has nothing in it: it is all that is drawn, and has depth -1.
    Whether a name is the last of its directory is known only when its whole subtree has passed: the
    names are held until then.
    """
    held = list(drawn)
    yield escaped(top)
    if held and held[0][0] < 0:
        yield from ("", "0 directories, 1 file")
        return
    rails: list[str] = []
    for (depth, name), is_last in zip(held, _last_ones([depth for depth, _ in held]), strict=True):
        del rails[depth:]
        yield "".join(rails) + ("└── " if is_last else "├── ") + name
        rails.append("    " if is_last else "│   ")
    directories = sum(name.endswith("/") for _, name in held)
    yield ""
    yield (
        f"{count_text(directories, 'directory', 'directories')}, "
        f"{count_text(len(held) - directories, 'file', 'files')}"
    )


def _last_ones(depths: list[int]) -> list[bool]:
    """For each depth of a walk, whether the name is the last one of its directory; computed backwards."""
    answers = []
    followed: list[bool] = []  # For each depth: something comes later in the directory we are in.
    for depth in reversed(depths):
        del followed[depth + 1 :]
        followed += [False] * (depth + 1 - len(followed))
        answers.append(not followed[depth])
        followed[depth] = True
    answers.reverse()
    return answers


def volume_facts(label: str, geometry: Geometry) -> dict[str, Any]:
    """The properties of a volume."""
    return {
        "label": label,
        "serial": f"{geometry.serial:016X}",
        "size_bytes": geometry.size_bytes,
        "sector_bytes": geometry.sector_bytes,
        "cluster_bytes": geometry.cluster_bytes,
        "record_bytes": geometry.record_bytes,
        "cluster_count": geometry.cluster_count,
        "hidden_sectors": geometry.hidden_sectors,
    }


def file_facts(details: FileDetails) -> dict[str, Any]:
    """All metadata of a file or directory."""
    info = details.info
    item = Listed(info.path, info.is_directory, info.size_bytes, info.attributes, info.times, info.record)
    return {
        **listed_data(item),
        "name": next((name.name for name in info.names if name.namespace != file_name.DOS), ""),
        "sequence": info.sequence,
        "link_count": info.link_count,
        "attribute_list": details.has_attribute_list,
        "records": list(details.records),
        "security_id": info.security_id,
        **traits_data(details),
        "names": [_name_data(details, number) for number in range(len(info.names))],
        "streams": [_stream_data(stream) for stream in info.streams],
    }


def _name_data(details: FileDetails, number: int) -> dict[str, Any]:
    name, entry = details.info.names[number], details.entries[number]
    data = {
        "name": name.name,
        "namespace": _NAMESPACES.get(name.namespace, str(name.namespace)),
        "parent_record": name.parent_record,
        "attributes": attribute_names(name.attributes),
        "times": times_data(name.times),
        "entry": None if entry is None else _entry_data(entry),
    }
    fault = details.faults.get(f"names {number}")
    return data if fault is None else data | {"malformed": fault}


def _entry_data(entry: DirectoryItem) -> dict[str, Any]:
    """The fields of the directory entry of a name."""
    return {
        "namespace": _NAMESPACES.get(entry.namespace, str(entry.namespace)),
        "size_bytes": entry.size_bytes,
        "allocated_bytes": entry.allocated_bytes,
        "attributes": attribute_names(entry.attributes),
        "times": times_data(entry.times),
    }


def _stream_data(stream: StreamInfo) -> dict[str, Any]:
    return {
        "name": stream.name,
        "form": stream.form,
        "resident": stream.resident,
        "size_bytes": stream.size_bytes,
        "allocated_bytes": stream.allocated_bytes,
        "occupied_bytes": stream.occupied_bytes,
        "initialized_bytes": stream.initialized_bytes,
        "run_count": len(stream.runs),
        "runs": [{"lcn": lcn, "clusters": clusters} for lcn, clusters in stream.runs],
    }


def file_lines(facts: dict[str, Any]) -> Iterator[str]:
    """The most important of `file_facts` as lines; JSON has the rest."""
    plain = ("path", "type", "size_bytes", "attributes", "times", "record", "link_count", "short_name")
    shown = {key: facts[key] for key in plain if facts[key] is not None}
    if facts["case_sensitive"]:
        shown["case_sensitive"] = True
    shown |= traits_texts(facts)
    shown["names"] = [
        {"name": one["name"], "namespace": one["namespace"], "parent_record": one["parent_record"]}
        | _other_times(one, facts["times"])
        for one in facts["names"]
    ]
    shown["streams"] = [
        {key: value for key, value in one.items() if key != "runs"} for one in facts["streams"]
    ]
    return facts_lines(shown)


def _other_times(name: dict[str, Any], times: dict[str, Any]) -> dict[str, Any]:
    """The times of a name and of its entry, if they differ from the file's, and errors of the entry."""
    found = {} if name["times"] == times else {"times": name["times"]}
    if name["entry"] and name["entry"]["times"] != times:
        found["times in the directory"] = name["entry"]["times"]
    if "malformed" in name:
        found["malformed"] = name["malformed"]
    return found


def facts_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Names and values in two columns; nested values are indented below their name."""
    width = max(map(len, facts), default=0) + 1
    for name, value in facts.items():
        label = name.replace("_", " ") + ":"
        rows = value if isinstance(value, list) else [value]
        if rows and all(isinstance(row, dict) for row in rows):
            for row in rows:
                yield label
                yield from (f"  {line}" for line in facts_lines(row))
        else:
            yield escaped(f"{label:{width}} {', '.join(map(_fact_text, rows))}".rstrip())


def _fact_text(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
