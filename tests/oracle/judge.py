"""The verdict: every reader that can read a volume finds the same tree and nothing to complain of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.oracle import dissect, grub, libfsntfs, ntfs3_vm, ntfs3g, partclone, sevenzip, sleuthkit, wimlib
from tests.oracle.model import COMPARED, DIRECTORY_ATTRIBUTES, Entry, Geometry, Reader, Reading, only_user
from tests.oracle.tools import missing

READERS: tuple[Reader, ...] = (
    *ntfs3g.READERS,
    *sleuthkit.READERS,
    *libfsntfs.READERS,
    *sevenzip.READERS,
    *wimlib.READERS,
    *partclone.READERS,
    *dissect.READERS,
    *grub.READERS,
    *ntfs3_vm.READERS,
)
TIMES = frozenset({"created", "modified", "changed", "accessed"})
THREADS = 2
SHOWN_MAX = 5  # Faults of one reader that are spelled out.
COMPLAINT_MAX = 300


def judge(image: Path, expected: Mapping[str, Entry], readers: Iterable[Reader] = READERS) -> None:
    """Raise AssertionError that lists each reader's complaints and what it sees differently."""
    judge_all([(image, expected)], readers)


def judge_all(cases: Sequence[tuple[Path, Mapping[str, Entry]]], readers: Iterable[Reader] = READERS) -> None:
    """The same for many images; the virtual machine boots once for all of them."""
    readers = list(readers)
    with ThreadPoolExecutor(THREADS) as pool:  # The readers of one image take turns: some lock it.
        jobs = [pool.submit(_read_together, r, cases) for r in readers if r.read_many]
        jobs += [pool.submit(_read_in_turn, image, expected, readers) for image, expected in cases]
    faults = [fault for job in jobs for fault in job.result()]
    if faults:
        raise AssertionError("\n".join(["The foreign readers find fault:", *faults]))


def _read_in_turn(image: Path, expected: Mapping[str, Entry], readers: Sequence[Reader]) -> list[str]:
    geometry = Geometry.of(image)
    return [
        f"{image.name} ({geometry}): {fault}"
        for reader in readers
        if not reader.read_many and reader.refuses(geometry, expected) is None
        for fault in verdict(reader, examine(reader, image), expected)
    ]


def _read_together(reader: Reader, cases: Sequence[tuple[Path, Mapping[str, Entry]]]) -> list[str]:
    assert reader.read_many is not None
    geometries = [Geometry.of(image) for image, _ in cases]
    asked = [
        (case, geometry)
        for case, geometry in zip(cases, geometries, strict=True)
        if reader.refuses(geometry, case[1]) is None
    ]
    _demand(reader)
    readings = reader.read_many([image for (image, _), _ in asked])
    return [
        f"{image.name} ({geometry}): {fault}"
        for ((image, expected), geometry), reading in zip(asked, readings, strict=True)
        for fault in verdict(reader, _of_users(reading), expected)
    ]


def _demand(reader: Reader) -> None:
    absent = missing(reader.tools)
    assert not absent, "; ".join(absent)


def _of_users(reading: Reading) -> Reading:
    if reading.entries is not None:
        reading.entries = only_user(reading.entries)
    return reading


def examine(reader: Reader, image: Path) -> Reading:
    """Read with a tool that must be here: whoever may do without asks `tools.missing` first."""
    _demand(reader)
    return _of_users(reader.read(image))


def verdict(reader: Reader, reading: Reading, expected: Mapping[str, Entry]) -> list[str]:
    """What speaks against the image, one line each, with the reader's name in front."""
    faults = [f"complains: {complaint[:COMPLAINT_MAX]}" for complaint in reading.complaints]
    if reading.entries is not None:
        faults += differences(reader, reading.entries, expected)
    counted = [f"{fault} ({count} times)" if count > 1 else fault for fault, count in Counter(faults).items()]
    if len(counted) > SHOWN_MAX:
        counted[SHOWN_MAX:] = [f"… and {len(counted) - SHOWN_MAX} more"]
    return [f"{reader.name}: {fault}" for fault in counted]


def differences(reader: Reader, found: Mapping[str, Entry], expected: Mapping[str, Entry]) -> list[str]:
    wanted = {reader.shown(path): entry for path, entry in expected.items()}
    faults = [f"{brief(path)} is not there" for path in sorted(wanted.keys() - found.keys())]
    faults += [f"{brief(path)} should not be there" for path in sorted(found.keys() - wanted.keys())]
    for path in sorted(wanted.keys() & found.keys()):
        faults += [f"{brief(path)}: {text}" for text in _unequal(reader, found[path], wanted[path])]
    return faults


def _unequal(reader: Reader, found: Entry, wanted: Entry) -> Sequence[str]:
    faults = []
    for name in COMPARED:
        is_, should_be = getattr(found, name), getattr(wanted, name)
        if is_ is None or should_be is None:
            continue
        if name == "attributes":
            is_, should_be = is_ & ~DIRECTORY_ATTRIBUTES, should_be & ~DIRECTORY_ATTRIBUTES
        unit = reader.time_unit if name in TIMES else 1
        if is_ != should_be and (unit == 1 or is_ // unit != should_be // unit):
            faults.append(f"{name} {is_!a}, should be {should_be!a}")
    return faults


def brief(path: str) -> str:
    """A path for people: quoted, without its middle when it is very long."""
    return ascii(path) if len(path) <= 100 else f"{path[:45]!a}…{path[-45:]!a} ({len(path)} characters)"
