"""Tags of reparse points: their names and bits, and whether the content of such a file is elsewhere."""

from __future__ import annotations

import functools

from ntfsbuild.ondisk.file_attributes import FileAttributes

MOUNT_POINT = 0xA0000003
SYMLINK = 0xA000000C
NFS = 0x80000014
WOF = 0x80000017
APP_EXEC_LINK = 0x8000001B
LX_SYMLINK = 0xA000001D
AF_UNIX = 0x80000023
LX_FIFO = 0x80000024
LX_CHR = 0x80000025
LX_BLK = 0x80000026

_MICROSOFT = 1 << 31
_NAME_SURROGATE = 1 << 29
_VALUE_BITS = 0xF000FFFF  # All others are reserved.
_LAST_RESERVED = 2

_CLOUD, _CLOUD_MASK = 0x9000001A, 0xFFFF0FFF

# As [MS-FSCC] 2.1.2.1 and ntifs.h name them, without IO_REPARSE_TAG_.
_NAMES = """
A0000003 MOUNT_POINT  C0000004 HSM  80000005 DRIVE_EXTENDER  80000006 HSM2  80000007 SIS  80000008 WIM
80000009 CSV  8000000A DFS  8000000B FILTER_MANAGER  A000000C SYMLINK  A0000010 IIS_CACHE  80000012 DFSR
80000013 DEDUP  80000014 NFS  C0000014 APPXSTRM  80000015 FILE_PLACEHOLDER  80000016 DFM  80000017 WOF
80000018 WCI  A0000019 GLOBAL_REPARSE  8000001B APPEXECLINK  9000001C PROJFS  A000001D LX_SYMLINK
8000001E STORAGE_SYNC  A000001F WCI_TOMBSTONE  80000020 UNHANDLED  80000021 ONEDRIVE
A0000022 PROJFS_TOMBSTONE  80000023 AF_UNIX  80000024 LX_FIFO  80000025 LX_CHR  80000026 LX_BLK
90000027 STORAGE_SYNC_FOLDER  A0000027 WCI_LINK  A0000028 DATALESS_CIM  90001018 WCI_1
A0001027 WCI_LINK_1

00000009 IFSTEST_CONGRUENT  0000000A MOONWALK_HSM  0000000B TSINGHUA_UNIVERSITY_RESEARCH
0000000C ARKIVIO  2000000D SOLUTIONSOFT  0000000E COMMVAULT  0000000F OVERTONE  00000010 SYMANTEC_HSM2
00000011 ENIGMA_HSM  00000012 SYMANTEC_HSM  00000013 INTERCOPE_HSM  00000014 KOM_NETWORKS_HSM
00000015 MEMORY_TECH_HSM  00000016 BRIDGEHEAD_HSM  20000017 OSR_SAMPLE  00000018 GLOBAL360_HSM
00000019 ALTIRIS_HSM  0000001A HERMES_HSM  0000001B POINTSOFT_HSM  0000001C GRAU_DATASTORAGE_HSM
0000001D COMMVAULT_HSM  0000001E DATASTOR_SIS  0000001F EDSI_HSM  00000020 HP_HSM  00000021 SER_HSM
00000022 DOUBLE_TAKE_HSM  00000023 WISDATA_HSM  00000024 MIMOSA_HSM  00000025 HSAG_HSM  00000026 ADA_HSM
00000027 AUTN_HSM  00000028 NEXSAN_HSM  00000029 DOUBLE_TAKE_SIS  0000002A SONY_HSM  0000002B ELTAN_HSM
0000002C UTIXO_HSM  0000002D QUEST_HSM  0000002E DATAGLOBAL_HSM  2000002F QI_TECH_HSM
00000030 DATAFIRST_HSM  00000031 C2CSYSTEMS_HSM  00000032 WATERFORD  00000033 RIVERBED_HSM
00000034 CARINGO_HSM  20000035 MAXISCALE_HSM  00000036 CITRIX_PM  00000037 OPENAFS_DFS
00000038 ZLTI_HSM  00000039 EMC_HSM  0000003A VMWARE_PM  0000003B ARCO_BACKUP  0000003C CARROLL_HSM
0000003D COMTRADE_HSM  0000003E EASEVAULT_HSM  0000003F HDS_HSM  00000040 MAGINATICS_RDR
00000041 GOOGLE_HSM  00000042 QUADDRA_HSM  00000043 HP_BACKUP  00000044 DROPBOX_HSM  00000045 ADOBE_HSM
00000046 HP_DATA_PROTECT  00000047 ACTIVISION_HSM  00000048 HDS_HCP_HSM  00000049 AURISTOR_FS
0000004A ITSTATION  0000004B SPHARSOFT  2000004C ALERTBOOT  0000004D MTALOS  0000004E CTERA_HSM
0000004F NIPPON_HSM  00000050 REDSTOR_HSM  00000051 NEUSHIELD  00000052 DOR_HSM  00000053 SHX_BACKUP
20000054 NVIDIA_UNIONFS  00000055 HUBSTOR_HSM  20000056 IMANAGE_HSM  00000057 EASEFILTER_HSM
"""
_ACRONIS_FIRST = 0x60  # ACRONIS_HSM_0 to _F.

_MAY_HAVE_CHILDREN = 1 << 28
_NOT_HERE = int(FileAttributes.OFFLINE | FileAttributes.RECALL_ON_DATA_ACCESS)
# What the unnamed stream of such a file holds are zeros, or nothing.
_ELSEWHERE = {
    WOF: "Windows compressed it (WOF): its content is not in its main stream",
    0x80000013: "its content is deduplicated: it lies in the volume's chunk store",
    0x80000007: "its content lies in the single instance store",
    0xC0000004: "its content was moved to other storage (HSM)",
    0x80000006: "its content was moved to other storage (HSM)",
}


def may_have_children(tag: int) -> bool:
    """Whether a directory with that tag need not be empty."""
    return bool(tag & _MAY_HAVE_CHILDREN)


def where_content_is(tag: int, attributes: int) -> str | None:
    """Why the unnamed stream of a file with that tag is not its content; None if it is.

    Files of cloud storage have their content on the volume, unless a RECALL attribute is set.
    """
    if tag & _CLOUD_MASK == _CLOUD and attributes & _NOT_HERE:
        return "it is a placeholder: its content is in a cloud"
    return _ELSEWHERE.get(tag)


@functools.cache
def _names() -> dict[int, str]:
    words = _NAMES.split()
    names = {int(tag, 16): name for tag, name in zip(words[::2], words[1::2], strict=True)}
    for digit in range(16):
        names[_CLOUD | digit << 12] = f"CLOUD_{digit:X}" if digit else "CLOUD"
        names[_ACRONIS_FIRST + digit] = f"ACRONIS_HSM_{digit:X}"
    return names


def tag_name(tag: int) -> str | None:
    """The Windows name of the tag, without `IO_REPARSE_TAG_`; None if it has no name."""
    return _names().get(tag)


def tag_of(name: str) -> int | None:
    """The tag of that name, in any case, with or without `IO_REPARSE_TAG_`; None for an unknown one."""
    wanted = name.upper().removeprefix("IO_REPARSE_TAG_")
    return next((tag for tag, known in _names().items() if known == wanted), None)


def is_microsoft(tag: int) -> bool:
    """Whether the tag is Microsoft's: the reparse points of all others have a GUID."""
    return bool(tag & _MICROSOFT)


def is_name_surrogate(tag: int) -> bool:
    """Whether the file stands for another one, as a link does."""
    return bool(tag & _NAME_SURROGATE)


def is_directory_only(tag: int) -> bool:
    """Whether only a directory can have such a reparse point."""
    return tag == MOUNT_POINT


def what_is_wrong(tag: int) -> str | None:
    """Why Windows refuses the tag; None if it does not."""
    if not 0 <= tag <= 0xFFFFFFFF:
        return f"a reparse tag has 32 bits: {tag:#x} does not fit"
    if tag & ~_VALUE_BITS:
        return f"the bits 16 to 27 of a reparse tag are reserved: {tag:#010x} has some"
    if tag <= _LAST_RESERVED:
        return f"the reparse tags 0 to {_LAST_RESERVED} are reserved"
    return None
