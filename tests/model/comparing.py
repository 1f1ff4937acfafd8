"""Our own reader and the model: read from a volume, and held against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ntfsbuild.ondisk.attribute import DATA
from ntfsbuild.ondisk.file_name import DOS, WIN32
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.model.model import Model, Node, parts, units
from tests.model.steps import TIMES
from tests.oracle.model import Tree, directory, file

FAULTS_MAX = 5
FEW = 5


def model_of(volume: Volume, *, posix_names: bool = False) -> Model:
    """The model of what is on a volume."""
    nodes = {volume.stat("/").record: _node(volume, "/")}
    root = next(iter(nodes.values()))
    by_path = {"": root}
    for path, item in volume.walk():
        above, _, name = path.rpartition("/")
        node = nodes.get(item.record)
        if node is None:
            node = nodes[item.record] = _node(volume, path)
        by_path[path] = node
        by_path[above].children[name] = node
        node.names.append((by_path[above], name))
        if item.namespace == WIN32:
            node.aliased = node.names[-1]
    upcase = volume.read("/$UpCase")
    return Model(root, volume.label, upcase, volume.geometry.size_bytes, posix_names=posix_names)


def _node(volume: Volume, path: str) -> Node:
    info = volume.stat(path)
    streams = {one.name: volume.read(path, one.name) for one in info.streams}
    return Node(info.is_directory, list(info.times), info.attributes, streams)


def check(volume: Volume, model: Model, *, committed: bool) -> None:
    """Raise AssertionError for all that a volume shows otherwise than the model.

    Before a commit the entries of directories need not show the newest times and sizes; and what no step
    was about is then left for later.
    """
    faults = []
    for fault in differences(volume, model, committed):
        faults.append(fault)
        if len(faults) == FAULTS_MAX:
            break
    assert not faults, "our reader finds other than the model:\n" + "\n".join(faults)


def differences(volume: Volume, model: Model, committed: bool) -> Iterator[str]:
    if volume.label != model.label:
        yield f"the label is {volume.label!r}, should be {model.label!r}"
    found = dict(volume.walk())
    wanted = dict(model.walk())
    yield from (f"{path!a} is not there" for path in wanted.keys() - found.keys())
    yield from (f"{path!a} should not be there" for path in found.keys() - wanted.keys())
    records: dict[int, Node] = {}
    for path in wanted.keys() & found.keys():
        node, item = wanted[path], found[path]
        known = records.get(item.record)
        if known is None:  # Once for all names of a file: with many of them it takes a while.
            records[item.record] = node
            if not (committed or node.touched):
                continue
            info = volume.stat(path)
            faults = [*_of_file(info, node, is_root=False), *_of_streams(volume, info, node)]
            yield from (f"{path!a}: {fault}" for fault in faults)
        elif known is not node:
            yield f"{path!a} is in record {item.record}, which has another name of another file"
        if committed and node.touched:
            yield from (f"{path!a}: {fault}" for fault in _of_item(item, node))
    if len(set(map(id, records.values()))) != len(records):
        yield "two records hold one file"
    yield from (f"'/': {fault}" for fault in _of_file(volume.stat("/"), model.root, is_root=True))
    yield from _of_order(found, model)


def _of_file(info: FileInfo, node: Node, *, is_root: bool) -> Iterator[str]:
    if info.is_directory != node.is_directory:
        yield f"directory: {info.is_directory}"
    if list(info.times) != node.times:
        yield f"times {info.times}, should be {tuple(node.times)}"
    if info.attributes != node.attributes:
        yield f"attributes {info.attributes:#x}, should be {node.attributes:#x}"
    if is_root:
        return
    names = Counter(name.name for name in info.names if name.namespace != DOS)
    if names != Counter(name for _, name in node.names):
        yield f"names {sorted(names)}, should be {sorted(name for _, name in node.names)}"
    if info.link_count != node.links:
        yield f"{info.link_count} links, should be {node.links}"


def _of_streams(volume: Volume, info: FileInfo, node: Node) -> Iterator[str]:
    found = {stream.name: stream for stream in info.streams}
    if len(found) != len(info.streams) or found.keys() != node.streams.keys():
        yield f"streams {sorted(s.name for s in info.streams)}, should be {sorted(node.streams)}"
        return
    contents = _contents(volume, info) if len(found) > FEW else {}
    for name, data in node.streams.items():
        there = contents[name] if contents else volume.read(info.path, name)
        if found[name].size_bytes != len(data) or len(there) != len(data):
            yield f"stream {name!a} has {found[name].size_bytes} bytes, should have {len(data)}"
        elif there != data:
            first = next(at for at, (one, two) in enumerate(zip(there, data, strict=True)) if one != two)
            yield f"stream {name!a} differs from byte {first} on"


def _contents(volume: Volume, info: FileInfo) -> dict[str, bytes]:
    """All streams at once: one after the other each would be looked for in all records of the file."""
    reader = volume.volume if isinstance(volume, VolumeEditor) else volume
    catalog = reader._catalog
    attributes = catalog.attributes(catalog.record(info.record))
    return {one.name: catalog.streams.read(one) for one in attributes if one.type_code == DATA}


def _of_item(item: DirectoryItem, node: Node) -> Iterator[str]:
    """What the directory says of a file; it lists attributes that follow from others as it likes."""
    if list(item.times) != node.times:
        yield f"listed with times {item.times}, should be {tuple(node.times)}"
    if item.is_directory != node.is_directory:
        yield f"listed as a directory: {item.is_directory}"
    if (item.attributes ^ node.attributes) & 0xFFFF:
        yield f"listed with attributes {item.attributes:#x}, should be {node.attributes:#x}"
    size = len(node.streams.get("", b""))
    if item.size_bytes != size:
        yield f"listed with {item.size_bytes} bytes, should be {size}"


def _of_order(found: Iterable[str], model: Model) -> Iterator[str]:
    """By upper-case code units, then as they are spelled."""
    listed: dict[str, list[str]] = {}
    for path in found:
        above, _, name = path.rpartition("/")
        listed.setdefault(above, []).append(name)
    for above, names in listed.items():
        if names != sorted(names, key=lambda name: (model.folded(name), units(name))):
            yield f"{above!a} lists its names in another order"


def expected(model: Model) -> Tree:
    """What foreign readers should find."""
    return {path[1:]: _entry(node) for path, node in model.walk()}


def _entry(node: Node) -> object:
    known: dict[str, int | None] = dict(zip(TIMES, node.times, strict=True))
    if node.is_directory:
        return directory(attributes=node.attributes, **known)
    known["attributes"] = node.attributes or None  # That there are none some readers call "normal".
    links = None if node.aliased else node.links  # Some count short names, others do not.
    return file(node.streams[""], links=links, **known)


def check_file(volume: Volume, model: Model, path: str, stream: str) -> None:
    """The same for one file or directory and one of its streams, before a commit, too."""
    node = model.find(path)
    assert node is not None
    info = volume.stat("/" + "/".join(parts(path)))
    faults = list(_of_file(info, node, is_root=node is model.root))
    spelled = model.stream(node, stream)
    if spelled is not None and volume.read(info.path, spelled) != node.streams[spelled]:
        faults.append(f"stream {spelled!a} differs")
    assert not faults, f"our reader finds other than the model: {info.path!a}: " + "; ".join(faults)
