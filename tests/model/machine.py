"""What may happen in a history, drawn by Hypothesis: what is drawn shrinks towards the simple."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.model.bench import Bench
from tests.model.history import ABANDON, COMMIT, COMMIT_AND_REOPEN, History
from tests.model.model import COMPRESSED, SPARSE, Model
from tests.model.steps import ATTRIBUTES, TIMES, Step

DATA_BYTES_MAX = 6 << 20  # All streams of a volume together.
ENTRIES_MAX = 1500
DEPTH_MAX = 4
DIRECTORIES_MAX = 12  # Few, so that much happens in each.
SMALL = ("ours-tiny", "windows-512")

LONG = "x" * 255
IN_ANOTHER_ORDER = ["\U0001f601", "\ue000", "\uffee"]  # By characters than by code units.
NAMES = [
    *("a", "b", "c", "A", "B.TXT", "b.txt", "name with spaces", "no.dot.at.the.end", ".hidden", "~1"),
    *("Ünï", "ÜNÏ", "ÿ", "Ÿ", "ß", "ss", "ı", "i", "I", "İ", "ſ", "s", "µ", "Μ", "ς", "σ", "é", "e\u0301"),
    *("日本語", "\U0001f600", "\U00010428", "\U00010400"),
    *("b.TXT", "B.txt"),
    *(LONG, f"{LONG[1:]}X", "\U0001f600" * 127 + "!", "y" * 100, "z" * 180, "Ā" * 254),
    # In the root the names of NTFS's own files, elsewhere nobody's.
    *("$MFT", "$mftmirr", "$Extend", "$Quota"),
]
WRONG_NAMES = ["aux", "con.txt", "dot.", "space ", "a:b", "a*b", "tab\t", f"{LONG}x", "\U0001f600" * 128]
STREAMS = ["s", "S", "Zone.Identifier", "ÿ", "Ÿ", "\U0001f600", "n" * 255, "with spaces", "$DATA", "$I30"]
MOMENTS = ["1980-01-01T00:00:00Z", "2023-05-06T07:08:09.1234567Z", "2099-12-31T23:59:59.9999999Z"]

numbers = st.integers(0, 9999)
seeds = st.integers(0, 5)
few_names = [*"abc", *(f"f{k}" for k in range(6)), *IN_ANOTHER_ORDER]
names = st.sampled_from([few_names, few_names, NAMES, NAMES, WRONG_NAMES]).flatmap(st.sampled_from)
streams = st.sampled_from(["", "", "", *STREAMS])
sizes = st.sampled_from([0, 1, 10, 100, 500, 640, 700, 800, 1000, 1100, 3400, 3900, 5000, 9000, 70_000])
edges = st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([-1, 0, 1]), st.booleans())
counts = st.sampled_from([3, 30, 30, 100, 400])
widths = st.sampled_from([0, 40, 200])


class Place(NamedTuple):
    """What a path is to lead to: something that is there, by its number, or a name in a directory."""

    kind: str
    number: int
    name: str
    in_capitals: bool


class Length(NamedTuple):
    """A size, or one around a multiple of clusters or 64 KiB units."""

    size_bytes: int
    edge: tuple[int, int, bool] | None


def places(*kinds: str) -> st.SearchStrategy[Place]:
    return st.builds(Place, st.sampled_from(kinds), numbers, names, st.sampled_from([False, False, True]))


# What is asked of a place is mostly the right thing, and sometimes not.
files = places(*["file"] * 8, "directory", "new")
directories = places(*["directory"] * 5, "file", "new")
everything = places(*["file"] * 4, "directory", "directory", "new")
targets = places(*["new"] * 8, "file", "directory")
lengths = st.builds(Length, sizes, st.none() | edges)
moments = st.sampled_from(MOMENTS)
some_times = moments | st.dictionaries(st.sampled_from(TIMES), moments, min_size=1)
some_attributes = st.lists(st.sampled_from(sorted(ATTRIBUTES)), unique=True, max_size=3)

CHANGES: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "write": (12, {"place": files, "stream": streams, "from_end": st.booleans(), "at": lengths}),
    "make": (8, {"place": targets, "size_bytes": st.just(0) | st.just(1_100_000)}),
    "append": (6, {"place": files, "stream": streams}),
    "truncate": (10, {"place": files, "stream": numbers, "change": st.sampled_from("=-+")}),
    "truncate_too_far": (1, {"place": files}),
    "rename": (8, {"place": everything, "to": targets, "replace": st.booleans()}),
    "link": (5, {"place": files, "to": targets}),
    "delete": (6, {"place": everything, "recursive": st.booleans()}),
    "delete_stream": (3, {"place": everything, "stream": numbers}),
    "mkdir": (
        5,
        {"place": targets, "attributes": st.none() | some_attributes, "times": st.none() | some_times},
    ),
    "touch": (3, {"place": st.none() | everything, "times": some_times, "time": st.none() | moments}),
    "set": (
        3,
        {"place": st.none() | everything, "attributes": some_attributes, "times": st.none() | some_times},
    ),
    "label": (1, {"label": st.sampled_from(["", "LABEL", "\U0001f600" * 16, "Ÿ" * 32, "x" * 33, "\x01"])}),
    "many_files": (1, {"place": directories, "count": counts, "width": widths}),
    "many_links": (1, {"place": files, "count": counts, "width": widths}),
    "many_streams": (1, {"place": everything, "count": counts, "width": widths}),
    "delete_many": (1, {"place": everything, "keep": st.integers(0, 3)}),
    "scatter": (1, {"count": st.sampled_from([4, 60, 300]), "leave": st.integers(0, 60)}),
    "commit": (7, {"reopen": st.booleans()}),
    "abandon": (1, {}),
}
CONTENT = {"length": lengths, "seed": seeds}
TAKE_CONTENT = ("write", "make", "append", "truncate", "many_streams")


def drawn(name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    more = CONTENT if name in TAKE_CONTENT else {}
    return st.tuples(st.just(name), st.fixed_dictionaries(CHANGES[name][1] | more))


changes = st.sampled_from([name for name, (weight, _) in CHANGES.items() for _ in range(weight)]).flatmap(
    drawn
)


class Machine(RuleBasedStateMachine):
    """Takes steps of all kinds, commits now and then, and gives up now and then."""

    bench: ClassVar[Bench]
    kept: ClassVar[list[History]]

    def __init__(self) -> None:
        super().__init__()
        self.history = History(self.bench)

    def teardown(self) -> None:
        history = self.history
        try:
            if not history.has_failed:
                history.finish()
                self.kept.append(history)
        finally:
            history.volume.close()
            if history.has_failed:
                history.remove()

    @rule(change=changes)
    def change(self, change: tuple[str, dict[str, Any]]) -> None:
        """One rule for all, for the rules of a machine are taken equally often, or some of them never."""
        name, arguments = change
        getattr(self, name)(**arguments)

    # ------------------------------------------------------------------ from what is drawn to a step

    @property
    def model(self) -> Model:
        return self.history.model

    def path(self, place: Place) -> str:
        """Without a slash at its beginning."""
        if place.kind == "new":
            return self.new_path(place)
        paths = [path for path, node in self.model.walk() if node.is_directory == (place.kind == "directory")]
        if not paths:
            return place.name
        path = sorted(paths)[place.number % len(paths)].removeprefix("/")
        return self.capitals(path) if place.in_capitals else path

    def new_path(self, place: Place) -> str:
        """In the root, or in a directory that is not too deep."""
        there = [path for path, node in self.model.walk() if node.is_directory]
        above = ["", *sorted(path for path in there if path.count("/") < DEPTH_MAX)][:DIRECTORIES_MAX]
        return f"{above[place.number % len(above)]}/{place.name}".removeprefix("/")

    def capitals(self, path: str) -> str:
        raw = b"".join(unit.to_bytes(2, "little") for unit in self.model.folded(path))
        return raw.decode("utf-16-le", "surrogatepass")

    def size(self, length: Length) -> int:
        if length.edge is None:
            return length.size_bytes
        times, beside, in_units = length.edge
        unit = 1 << 16 if in_units else min(self.bench.base.cluster_bytes, 1 << 18)
        return max(0, times * unit + beside)

    def take(self, step: Step, stream: str = "", time: str | None = None) -> None:
        said: dict[str, Any] = {"stream": stream} if stream else {}
        if time is not None:
            said["time"] = time
        self.history.do(step | said)

    def content(self, size_bytes: int, seed: int) -> Step:
        """Zeros are what bugs look like, so they are rare."""
        if seed == 0 and size_bytes <= 10:
            return {"text": "0123456789"[:size_bytes]}
        return {"size": size_bytes} | ({} if seed == 1 else {"fill": "random", "seed": seed})

    def old_size(self, path: str, stream: str) -> int:
        node = self.model.find(path)
        spelled = None if node is None else self.model.stream(node, stream)
        return len(node.streams[spelled]) if node and spelled is not None else 0

    def old_stream(self, path: str, number: int) -> str:
        """One of the streams that are there, mostly the main one."""
        node = self.model.find(path)
        there = sorted(node.streams) if node else []
        return there[number // 2 % len(there)] if there and number % 2 else ""

    def has_room(self) -> bool:
        return self.model.data_bytes() < DATA_BYTES_MAX

    def has_few_entries(self) -> bool:
        return sum(1 for _ in self.model.walk()) < ENTRIES_MAX

    # ------------------------------------------------------------------ contents

    def write(self, place: Place, stream: str, from_end: bool, at: Length, length: Length, seed: int) -> None:
        path, offset = self.path(place), self.size(at)
        if from_end:
            offset = max(0, self.old_size(path, stream) - offset)
        if self.has_room():
            self.take({"write": path, "at": offset} | self.content(self.size(length), seed), stream)

    def make(self, place: Place, size_bytes: int, length: Length, seed: int) -> None:
        if self.has_room():
            self.take({"write": self.path(place)} | self.content(size_bytes or self.size(length), seed))

    def append(self, place: Place, stream: str, length: Length, seed: int) -> None:
        if self.has_room():
            self.take({"append": self.path(place)} | self.content(self.size(length), seed), stream)

    def truncate(self, place: Place, stream: int, change: str, length: Length, seed: int) -> None:
        path = self.path(place)
        name = self.old_stream(path, stream)
        size, here = self.size(length), self.old_size(path, name)
        size = {"=": size, "-": max(0, here - size), "+": here + size}[change]
        if self.has_room():
            self.take({"truncate": path, "size": size}, name)

    def truncate_too_far(self, place: Place) -> None:
        """A file that may have holes would have room for that."""
        node = self.model.find(self.path(place))
        if node and not node.attributes & (SPARSE | COMPRESSED):
            self.take({"truncate": self.path(place), "size": 1 << 40})

    # ------------------------------------------------------------------ names

    def rename(self, place: Place, to: Place, replace: bool) -> None:
        said = {"replace": True} if replace else {}
        self.take({"rename": self.path(place), "to": self.path(to)} | said)

    def link(self, place: Place, to: Place) -> None:
        self.take({"link": self.path(place), "to": self.path(to)})

    def delete(self, place: Place, recursive: bool) -> None:
        self.take({"delete": self.path(place)} | ({"recursive": True} if recursive else {}))

    def delete_stream(self, place: Place, stream: int) -> None:
        path = self.path(place)
        self.take({"delete": path}, self.old_stream(path, stream) or STREAMS[0])

    def mkdir(self, place: Place, attributes: list[str] | None, times: Any) -> None:
        said = {"attributes": attributes, "times": times}
        said = {key: value for key, value in said.items() if value is not None}
        self.take({"mkdir": self.path(place)} | said)

    # ------------------------------------------------------------------ metadata

    def touch(self, place: Place | None, times: Any, time: str | None) -> None:
        self.take({"touch": self.path(place) if place else "/", "times": times}, time=time)

    def set(self, place: Place | None, attributes: list[str], times: Any) -> None:
        said = {} if times is None else {"times": times}
        self.take({"set": self.path(place) if place else "/", "attributes": attributes} | said)

    def label(self, label: str) -> None:
        self.take({"label": label})

    # ------------------------------------------------------------------ many at once

    def many_files(self, place: Place, count: int, width: int) -> None:
        """So that indexes get blocks, and then levels."""
        path = self.path(place)
        node = self.model.find(path)
        if node and node.is_directory and self.has_few_entries():
            for number in range(count):
                self.take({"write": f"{path}/{'n' * width}{number * 7 % 1000}", "text": str(number)})

    def many_links(self, place: Place, count: int, width: int) -> None:
        """So that the file needs further records, and a list."""
        path = self.path(place)
        if self.model.find(path) and self.has_few_entries():
            for number in range(count):
                self.take({"link": path, "to": f"{'l' * width}{number}"})

    def many_streams(self, place: Place, count: int, width: int, length: Length, seed: int) -> None:
        path, size = self.path(place), min(self.size(length), 5000)
        if self.model.find(path) and self.has_room():
            for number in range(count):
                self.take({"write": path} | self.content(size, seed), f"{'s' * width}{number}")

    def delete_many(self, place: Place, keep: int) -> None:
        """Everything in the same directory, or all streams of the file, but for a few."""
        path = self.path(place)
        node, above = self.model.find(path), path.rpartition("/")[0]
        if node is None:
            return
        named = sorted(name for name in node.streams if name)
        for stream in named[keep:]:
            self.take({"delete": path}, stream)
        directory = self.model.find(above)
        if not named and directory:
            for name in sorted(directory.children)[keep:]:
                self.take({"delete": f"{above}/{name}".removeprefix("/"), "recursive": True})

    def scatter(self, count: int, leave: int) -> None:
        """Let a file fill a small volume, all but a few clusters, in pieces of two clusters at first."""
        if self.bench.base.kind not in SMALL:
            return
        cluster_bytes = self.bench.base.cluster_bytes
        for number in range(count):
            self.take({"write": f"piece{number}", "size": 2 * cluster_bytes, "fill": "random"})
        for number in range(0, count, 2):
            self.take({"delete": f"piece{number}"})
        self.history.do(COMMIT)
        size = max(0, self.history.free_bytes() - leave * cluster_bytes)
        self.take({"append": "filling", "size": size, "fill": "random", "seed": 1})
        self.history.do(COMMIT)

    # ------------------------------------------------------------------ the volume

    def commit(self, reopen: bool) -> None:
        self.history.do(COMMIT_AND_REOPEN if reopen else COMMIT)

    def abandon(self) -> None:
        self.history.do(ABANDON)
