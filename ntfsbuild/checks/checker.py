"""The check of a volume, from the boot sector to the last file: what is wrong is said, nothing is raised.

Two passes.  The first one goes over the $MFT in large pieces; of each record only what others must be
held to is kept, in arrays.  The second one walks the indexes.
"""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.checks.boot import check_boot
from ntfsbuild.checks.bootstrap import find_mft
from ntfsbuild.checks.clusters import Accounts, check_cluster_bitmap, check_record_bitmap
from ntfsbuild.checks.content import check_content
from ntfsbuild.checks.directories import check_directory, check_links, check_listing
from ntfsbuild.checks.findings import Finding, Findings, nothing
from ntfsbuild.checks.information import check_information
from ntfsbuild.checks.journal import check_journal
from ntfsbuild.checks.lists import assembled, check_extension, check_left_over, file_of, list_of
from ntfsbuild.checks.names import FoundNames, check_secured
from ntfsbuild.checks.paths import RecordPaths
from ntfsbuild.checks.plain_records import PlainRecords
from ntfsbuild.checks.records import CheckedRecord, MasterFileTable, check_records
from ntfsbuild.checks.rules import RULES
from ntfsbuild.checks.security import check_security
from ntfsbuild.checks.state import HAS_INDEX, I30, CheckedFile, Examination
from ntfsbuild.checks.storage import Source
from ntfsbuild.checks.system import check_presence, check_system_file
from ntfsbuild.checks.views import Views
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import file_record, upcase
from ntfsbuild.ondisk.file_record import NUMBER_MASK, SECURE


class Examined:
    """What was found on a volume: the findings, ordered, and how many there were of each rule."""

    def __init__(self, kept: list[Finding], findings: Findings, records: int, clusters: int) -> None:
        self.findings = kept
        self.counts = dict(sorted(findings.counts.items()))
        self.records = records
        self.clusters = clusters


def check_volume(source: Source) -> Examined:
    """Hold a volume to every rule.

    Raises CorruptVolume where there is no geometry or no $MFT, so that nothing can be said.
    """
    findings = Findings()
    geometry = check_boot(source, findings)
    examination = Examination(source, geometry, findings)
    mft, bitmap, bitmap_bytes = find_mft(examination)
    examination.set_records(mft.count)
    check = _Check(examination, mft, bitmap)
    check.run(bitmap_bytes)
    paths = RecordPaths(mft)
    kept = [one._replace(path=paths.path(one.record)) for one in findings.kept]
    order = list(RULES)
    kept.sort(
        key=lambda one: (
            RULES[one.rule].rank,
            -1 if one.record is None else one.record,
            order.index(one.rule),
        )
    )
    return Examined(kept, findings, mft.count, geometry.clusters)


class _Check:
    def __init__(self, examination: Examination, mft: MasterFileTable, bitmap: bytes) -> None:
        self._examination = examination
        self._mft = mft
        self._bitmap = bitmap
        self._accounts = Accounts()
        self._names = FoundNames()
        # What is needed of files with lists, to read them again.
        self._listed: dict[int, list[CheckedRecord]] = {}

    def run(self, bitmap_bytes: int) -> None:
        """Both passes, and what follows from them."""
        examination = self._examination
        self._read_upcase()
        self._check_log_first()
        for file in self._files():
            self._check_file(file)
        check_presence(examination)
        check_record_bitmap(examination, self._bitmap, bitmap_bytes)
        used = self._accounts.settle(examination)
        bitmap = self._opened(file_record.BITMAP)
        stream = bitmap.stream(kinds.DATA) if bitmap else None
        check_cluster_bitmap(examination, file_record.BITMAP, stream, used)
        self._names.check_parents(examination)
        check_secured(examination)
        self._check_indexes()

    def _files(self) -> Iterator[CheckedFile]:
        """Every file, with the attributes of all its records: those with lists come last."""
        examination = self._examination
        extensions: dict[int, list[CheckedRecord]] = {}
        lists: list[CheckedRecord] = []
        plain = PlainRecords(examination, self._accounts, self._names)
        for record in check_records(examination, self._mft, self._bitmap, plain.take):
            if record.base:
                check_extension(examination, record)
                extensions.setdefault(record.base & NUMBER_MASK, []).append(record)
            elif list_of(record) is not None:
                lists.append(record)
            else:
                yield file_of(examination, record, record.attributes, examination.say)
        for record in lists:
            own = extensions.pop(record.number, [])
            reference = record.sequence << 48 | record.number
            for other in own:
                if other.base != reference:
                    check_left_over(examination, other)
            own = [other for other in own if other.base == reference]
            self._listed[record.number] = own
            yield file_of(examination, record, assembled(examination, record, own), examination.say)
        for others in extensions.values():
            for other in others:
                check_left_over(examination, other)

    def _check_file(self, file: CheckedFile) -> None:
        examination = self._examination
        self._accounts.add(file)
        self._names.check(examination, file)
        check_information(examination, file)
        check_content(examination, file)
        if file.number < file_record.FIRST_RESERVED and file.number != file_record.LOG_FILE:
            check_system_file(examination, self._mft, file)

    def _read_upcase(self) -> None:
        examination = self._examination
        file = self._opened(file_record.UPCASE)
        stream = file.stream(kinds.DATA) if file else None
        if stream is not None and stream.size == upcase.TABLE_BYTES:
            examination.upcase = upcase.parse_table(examination.content(stream))
            ascii_changes = {unit: upper for unit, upper in examination.upcase.items() if unit < 0x80}
            examination.plain_ascii = ascii_changes == {unit: unit - 0x20 for unit in range(0x61, 0x7B)}

    def _check_log_first(self) -> None:
        """Records are held to the LSN of the log."""
        file = self._opened(file_record.LOG_FILE)
        if file is not None:
            check_system_file(self._examination, self._mft, file)

    def _opened(self, number: int) -> CheckedFile | None:
        """A file read again; nothing is said twice."""
        if number >= self._mft.count:
            return None
        record = self._mft.record(number)
        if record is None or record.base:
            return None
        attributes = record.attributes
        if number in self._listed:
            attributes = [*attributes, *(one for each in self._listed[number] for one in each.attributes)]
        return file_of(self._examination, record, attributes, nothing)

    def _check_indexes(self) -> None:
        examination = self._examination
        directories = []
        views = Views()
        owners: dict[str, CheckedFile] = {}
        names = {number: name for name, number in self._names.extend_children.items()} | {SECURE: "$Secure"}
        for number in range(examination.records):
            if not examination.kinds[number] & HAS_INDEX:
                continue
            file = self._opened(number)
            if file is None:
                continue
            name = names.get(number, "")
            if (kinds.INDEX_ROOT, I30) in file.streams:
                directories.append(number)
                check_directory(examination, file, examination.say)
            views.check(examination, file, name)
            if name:
                owners[name] = file
        check_links(examination)
        check_listing(examination, directories, self._opened)
        children = self._names.extend_children
        for name, number in children.items():
            opened = owners.get(name) or self._opened(number)
            if opened is not None:
                owners[name] = opened
                if name == "$UsnJrnl":
                    check_journal(examination, opened)
        views.check_owners(examination, children, owners)
        views.check_reparse_points(examination)
        views.check_object_ids(examination)
        views.check_quota(examination)
        secure = self._opened(SECURE)
        by_id, by_hash = views.listed.get(("$Secure", "$SII")), views.listed.get(("$Secure", "$SDH"))
        check_security(examination, secure, by_id, by_hash)
