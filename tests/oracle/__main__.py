"""`python -m tests.oracle IMAGE…`: what each foreign reader and checker says of an image."""

import argparse
import sys
import time
from pathlib import Path

from tests.oracle.judge import READERS, examine, verdict
from tests.oracle.model import Geometry, Reader, Tree
from tests.oracle.tools import missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument("--only", metavar="NAME", action="append", help="ask only this reader (repeatable)")
    parser.add_argument("--list", action="store_true", help="print every path that the first reader found")
    arguments = parser.parse_args()
    readers = [r for r in READERS if not arguments.only or r.name in arguments.only]
    if not readers:
        parser.error(f"--only takes one of {', '.join(r.name for r in READERS)}")
    return 1 if sum(report(image, readers, arguments.list) for image in arguments.images) else 0


def report(image: Path, readers: list[Reader], with_list: bool) -> int:
    """Print a line or more for each reader; the number of readers that found something wrong."""
    geometry = Geometry.of(image)
    print(f"{image}: {geometry}, volume {geometry.volume}")
    reference: Tree | None = None
    bad = 0
    for reader in readers:
        absent = missing(reader.tools)
        refused = reader.refuses(geometry, reference or {})
        if absent or refused:
            print(f"  {reader.name:13} -- {refused or '; '.join(absent)}")
            continue
        start = time.monotonic()
        reading = examine(reader, image)
        if reading.entries is not None and reference is None:
            reference = reading.entries
        faults = verdict(reader, reading, reference or {})
        count = "" if reading.entries is None else f"{len(reading.entries)} entries, "
        seconds = time.monotonic() - start
        print(f"  {reader.name:13} {f'{len(faults)} FAULTS' if faults else 'OK'} ({count}{seconds:.2f} s)")
        for fault in faults:
            print(f"      {fault}")
        bad += bool(faults)
    if with_list:
        for path, entry in sorted((reference or {}).items()):
            print(f"    {entry.kind:5} {entry.size if entry.size is not None else '-':>12} {path!a}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
