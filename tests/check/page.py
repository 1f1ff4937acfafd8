"""specs/invariants.md: the rules as a page.  `python -m tests.check.page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from ntfsbuild.checks.rules import RULES, Rule

PAGE = Path(__file__).parents[2] / "specs" / "invariants.md"
AREAS = {
    "B": ("Boot sector", "Geometry, the backup, and where the first files lie."),
    "R": ("Records", "The header of a record of the `$MFT`, and the bit that stands for it."),
    "A": ("Attributes", "Headers, values and run lists; all of one record."),
    "L": ("Attribute lists", "Files that need more than one record, and attributes in pieces."),
    "C": ("Clusters", "`$Bitmap` and `$MFT:$BITMAP` against what is in use, in both directions."),
    "N": ("Names", "`$FILE_NAME`, and the way from each file to the root."),
    "I": ("Indexes", "The trees, and what the entries of directories repeat of their files."),
    "V": ("View indexes", "What `$Secure`, `$Quota`, `$ObjId` and `$Reparse` list."),
    "S": ("Security", "Descriptors and ids."),
    "Y": ("NTFS's own files", "Their content: mirror, log, tables, journal."),
    "F": ("Files", "`$STANDARD_INFORMATION`, and what only some files have."),
}
HEAD = """\
# What is true of a sound volume

`ntfsbuild verify` holds a volume to every rule here. Each has an id, which never changes; a severity; what
follows where it does not hold; and who says so.

- **error**: chkdsk would repair it, or a driver may lose data, refuse the file, or the volume.
- **warning**: something is not as it should be, and some program minds.
- **note**: unusual, and legal. Notes alone leave the exit code at 0.

Sources: *chkdsk*, *ntfs.sys*, *Windows*: what Microsoft's programs repair, demand or refuse, as far as that
is documented or was reported; *Windows volumes*: what all volumes that Windows made have in common;
*ntfs-3g*, *ntfs3*, *TSK*, *wimlib*, *mkntfs*: what these demand, or make; *layout*: it follows from the
structures in [ondisk/](ondisk/README.md). For the rest Windows' own tables and limits are named.

What differs between sound volumes is no rule: times and sizes in `$FILE_NAME` as the record has it, slack,
the order of names in a record, entries of `$Extend` and of NTFS's own files, which Windows does not keep up,
and, where clusters are large, records behind the 24th in `$MFTMirr`.
"""


TABLE_HEAD = "| id | severity | rule | else | source |\n|---|---|---|---|---|\n"


def row(rule: Rule) -> str:
    return f"| {rule.id} | {rule.severity} | {rule.title} | {rule.meaning} | {rule.source} |\n"


def text() -> str:
    parts = [HEAD]
    for letter, (title, what) in AREAS.items():
        parts += [f"\n## {letter}: {title}\n\n{what}\n\n", TABLE_HEAD]
        parts += [row(rule) for rule in RULES.values() if rule.id[0] == letter]
    assert {rule[0] for rule in RULES} == set(AREAS)
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
