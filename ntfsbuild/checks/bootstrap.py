"""Finding the $MFT: its first record says where the others are, even where it needs them for that."""

from __future__ import annotations

from ntfsbuild.checks.findings import nothing
from ntfsbuild.checks.lists import list_entries, list_of, list_value
from ntfsbuild.checks.records import CheckedRecord, MasterFileTable, mft_data, parse_record
from ntfsbuild.checks.state import CheckedAttribute, CheckedStream, Examination
from ntfsbuild.checks.storage import Extents, read_whole, restored
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import file_record


def find_mft(examination: Examination) -> tuple[MasterFileTable, bytes, int]:
    """The records, the bitmap of the $MFT, and how large that says it is.

    Raises CorruptVolume where neither the $MFT nor $MFTMirr begins with a record that leads to the others.
    """
    geometry = examination.geometry
    for lcn in (geometry.mft_lcn, geometry.mirror_lcn):
        record = _first_record(examination, lcn)
        pieces = [one for one in mft_data(record) if not one.resident and one.runs] if record else []
        if record is None or not pieces:
            continue
        if lcn != geometry.mft_lcn:
            examination.say("Y56", 0, "a record", "only its copy in $MFTMirr makes sense")
        return _with_lists(examination, record, pieces)
    raise CorruptVolume("neither $MFT nor $MFTMirr begins with a record of the $MFT")


def _first_record(examination: Examination, lcn: int) -> CheckedRecord | None:
    geometry = examination.geometry
    raw = read_whole(examination.source, lcn * geometry.cluster_bytes, geometry.record_bytes)
    if raw[:4] != file_record.MAGIC:
        return None
    data, problem = restored(raw)
    return None if problem else parse_record(examination, data, file_record.MFT, nothing)


def _with_lists(
    examination: Examination, record: CheckedRecord, pieces: list[CheckedAttribute]
) -> tuple[MasterFileTable, bytes, int]:
    """Every further piece lies in a record that the pieces before it map."""
    attributes = list(record.attributes)
    own_list = list_of(record)
    if own_list is not None:
        entries = list_entries(
            list_value(examination, own_list, file_record.MFT, nothing), file_record.MFT, nothing
        )
        for (code, name, lowest, holder, instance), _ in sorted(entries, key=lambda entry: entry[0][2]):
            if code not in (kinds.DATA, kinds.BITMAP) or name or holder == file_record.MFT:
                continue
            other = _table(examination, pieces).record(holder)
            for one in other.attributes if other else []:
                if (one.type, one.name, one.lowest, one.instance) == (code, name, lowest, instance):
                    attributes.append(one)
                    if code == kinds.DATA:
                        pieces.append(one)
    bitmaps = [one for one in attributes if one.type == kinds.BITMAP and not one.name]
    bitmap = CheckedStream(sorted(bitmaps, key=lambda one: one.lowest)) if bitmaps else None
    return _table(examination, pieces), examination.content(bitmap), bitmap.size if bitmap else 0


def _table(examination: Examination, pieces: list[CheckedAttribute]) -> MasterFileTable:
    geometry = examination.geometry
    extents = Extents(examination.source, [run for one in pieces for run in one.runs], geometry.cluster_bytes)
    size = min(pieces[0].size, extents.size_bytes, examination.source.size_bytes)
    return MasterFileTable(examination, extents, size // geometry.record_bytes)
