"""A manifest as JSON data: what the files in `valid/` are compared with."""

from __future__ import annotations

from typing import Any

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segments
from ntfsbuild.manifest.feature_specs import (
    NO_FEATURE_SPEC,
    EncryptedRaw,
    EncryptTo,
    FeatureSpec,
    StreamSpec,
    Symlink,
    UnixSpec,
)
from ntfsbuild.manifest.model import AbsentEntry, DirectoryEntry, FileEntry, Manifest, Step, TimesSpec
from ntfsbuild.ondisk.file_attributes import attribute_names
from ntfsbuild.ondisk.filetime import format_filetime

VOLUME_DEFAULTS = {
    "size": "auto+0+0.0%",
    "label": None,
    "serial": None,
    "cluster_bytes": 4096,
    "sector_bytes": 512,
    "record_bytes": None,
    "hidden_sectors": 0,
    "sectors_per_track": 63,
    "heads": 255,
}


def rendered(manifest: Manifest) -> dict[str, Any]:
    """What differs from the defaults, with times and bytes in words."""
    volume = manifest.volume
    size = volume.size
    said = {key: getattr(volume, key) for key in VOLUME_DEFAULTS if key != "size"}
    said["size"] = f"auto+{size.extra_bytes}+{size.extra_percent}%" if size.auto else size.size_bytes
    defaults = {
        "times": _times(manifest.defaults.times),
        "names": manifest.defaults.names,
        "security": manifest.defaults.security and manifest.defaults.security.hex(" ", -4),
        "short_names": manifest.defaults.short_names,
    }
    data = {
        "volume": {key: value for key, value in said.items() if value != VOLUME_DEFAULTS[key]},
        "defaults": _without_nulls(defaults),
        "tree": _directory(manifest.tree),
    }
    if volume.object_id:
        data["volume"]["object_id"] = volume.object_id.hex(" ", -4)
    if volume.base:
        data["volume"]["base"] = [volume.base.path.decode(), volume.base.partition]
    if manifest.clock:
        data["clock"] = [format_filetime(manifest.clock.start_ticks), manifest.clock.step_ticks]
    if manifest.steps:
        data["steps"] = [_step(step) for step in manifest.steps]
    return data


def _step(step: Step) -> dict[str, Any]:
    """All fields but the positions, which the file's lines would make hard to keep."""
    data = step._asdict()
    del data["position"]
    data.pop("source_position", None)
    for name, value in data.items():
        match name:
            case "content":
                data[name] = _content(value)
            case "sha256" if value:
                data[name] = value.hex()
            case "times":
                data[name] = _times(value)
            case "attributes" if value is not None:
                data[name] = attribute_names(value)
            case "features":
                data[name] = _features(value)
            case "ticks" if value is not None:
                data[name] = format_filetime(value)
    for name in ("features", "short_name"):
        if not data.get(name, True):
            del data[name]
    return {type(step).__name__: data}


def _features(spec: FeatureSpec) -> dict[str, Any]:
    """What is said, in words and hex."""
    said = {
        name: value
        for name, value in spec._asdict().items()
        if name != "position" and value != NO_FEATURE_SPEC._asdict()[name]
    }
    return {name: _feature(name, value) for name, value in said.items()}


def _feature(name: str, value: Any) -> Any:
    match value:
        case bytes():
            return value.hex(" ", -4)
        case Symlink():
            return value._asdict()
        case UnixSpec():
            return {**value._asdict(), "dev": value.dev and [*value.dev]}
        case EncryptTo():
            return [[path.decode() for path in paths] for paths in (value.certificates, value.recovery)]
        case EncryptedRaw():
            return [_content(value.efs), value.size_bytes]
    match name:
        case "streams":
            return {one: _stream(stream) for one, stream in value.items()}
        case "ea":
            return [[key, data.hex(" ", -4), flags] for key, data, flags in value]
        case "name_times" | "entry_times":
            return [None if ticks is None else format_filetime(ticks) for ticks in value]
    return value


def _stream(stream: StreamSpec) -> dict[str, Any]:
    data = {
        "content": _content(stream.content),
        "sparse": stream.sparse,
        "compressed": stream.compressed,
        "valid_bytes": stream.valid_bytes,
        "sha256": stream.sha256 and stream.sha256.hex(),
    }
    return _without_nulls(data)


def _directory(entry: DirectoryEntry) -> dict[str, Any]:
    metadata = {
        "times": _times(entry.times),
        "attributes": None if entry.attributes is None else attribute_names(entry.attributes),
        "default times": _times(entry.defaults.times),
        "default names": entry.defaults.names,
        "default security": entry.defaults.security and entry.defaults.security.hex(" ", -4),
        "default short names": entry.defaults.short_names,
        "features": _features(entry.features) or None,
    }
    if entry.source:
        source = entry.source
        metadata["source"] = [source.path.decode(), list(source.include), list(source.exclude)]
        metadata["symlinks"] = None if source.symlinks == "follow" else source.symlinks
    tree: dict[str, Any] = {".": _without_nulls(metadata)} if _without_nulls(metadata) else {}
    for name, child in entry.children.items():
        if isinstance(child, DirectoryEntry):
            tree[f"{name}/"] = _directory(child)
        elif isinstance(child, AbsentEntry):
            tree[f"{name}/" if child.directory else name] = "absent"
        else:
            tree[name] = _file(child)
    return tree


def _file(entry: FileEntry) -> Any:
    metadata = {
        "times": _times(entry.times),
        "attributes": None if entry.attributes is None else attribute_names(entry.attributes),
        "sha256": entry.sha256.hex() if entry.sha256 else None,
        "features": _features(entry.features) or None,
    }
    content = _content(entry.content)
    return {"content": content, **_without_nulls(metadata)} if any(_without_nulls(metadata)) else content


def _content(content: Content) -> Any:
    match content:
        case Inline(data):
            return data.decode() if data.isascii() else data.hex(" ")
        case Fill(size_bytes, seed):
            return f"{size_bytes} zeros" if seed is None else f"{size_bytes} random, seed {seed}"
        case HostFile(path, _, sha256):
            return f"host {path.decode()}" + (" with sha256" if sha256 else "")
        case Segments(size_bytes, parts):
            return [size_bytes, *([part.at, _content(part.content)] for part in parts)]
        case _:
            raise AssertionError(content)


def _times(times: TimesSpec) -> Any:
    if times is None or times == "source":
        return times
    texts = {
        name: None if ticks is None else format_filetime(ticks) for name, ticks in times._asdict().items()
    }
    return texts["created"] if len(set(texts.values())) == 1 else _without_nulls(texts)


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
