"""The verdict: every reader that can read a volume finds the same tree and nothing to complain of."""

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
THREADS = 3
SHOWN_MAX = 12  # Disagreements of one reader that are spelled out.


def judge(image: Path, expected: Mapping[str, Entry], readers: Iterable[Reader] = READERS) -> None:
    """Raise AssertionError that lists each reader's complaints and what it sees differently."""
    geometry = Geometry.of(image)
    asked = [reader for reader in readers if reader.refuses(geometry, expected) is None]
    with ThreadPoolExecutor(THREADS) as pool:  # Most of them are processes of their own, and some sleep.
        verdicts = pool.map(lambda reader: verdict(reader, examine(reader, image), expected), asked)
    faults = [fault for faults in verdicts for fault in faults]
    if faults:
        raise AssertionError("\n".join([f"{image} ({geometry}):", *faults]))


def examine(reader: Reader, image: Path) -> Reading:
    """Read with a tool that must be here: whoever may do without asks `tools.missing` first."""
    absent = missing(reader.tools)
    assert not absent, "; ".join(absent)
    reading = reader.read(image)
    if reading.entries is not None:
        reading.entries = only_user(reading.entries)
    return reading


def verdict(reader: Reader, reading: Reading, expected: Mapping[str, Entry]) -> list[str]:
    """What speaks against the image, one line each, with the reader's name in front."""
    faults = [f"complains: {complaint}" for complaint in reading.complaints]
    if reading.entries is not None:
        faults += differences(reader, reading.entries, expected)
    if len(faults) > SHOWN_MAX:
        faults[SHOWN_MAX:] = [f"… and {len(faults) - SHOWN_MAX} more"]
    return [f"  {reader.name}: {fault}" for fault in faults]


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
