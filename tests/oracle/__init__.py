"""Programs that we did not write, reading the bytes that we wrote.  Imports nothing of ntfsbuild.

`judge(image, expected)` asks every reader that can read the volume; `python -m tests.oracle IMAGE`
prints what each of them says.  `tests.oracle.accounting` adds what no program checks: that every bit, name,
link and entry has what it stands for.
"""

from tests.oracle.judge import READERS, judge, judge_all
from tests.oracle.model import Entry, Geometry, Reader, Reading, Tree, directory, file

__all__ = [
    "READERS",
    "Entry",
    "Geometry",
    "Reader",
    "Reading",
    "Tree",
    "directory",
    "file",
    "judge",
    "judge_all",
]
