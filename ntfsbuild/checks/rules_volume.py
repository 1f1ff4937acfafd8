"""The rules of the volume as a whole: boot sector, clusters, NTFS's own files, security, view indexes."""

TABLE = """
B01 E The boot sector names NTFS
  Drivers take the volume for something else. | all drivers
B02 E The boot sector ends in 55 AA
  The Sleuth Kit refuses the volume, Linux warns. | TSK, ntfs3
B03 E A sector has 256 to 4096 bytes
  Nothing on the volume can be found. | all drivers
B04 E Sectors of a cluster are a power of two, as it is or negated
  Nothing on the volume can be found. | all drivers
B05 W Up to 128 sectors are said as they are
  Some drivers read the negated form only above. | mkntfs, Windows
B06 E A cluster has 2 MiB at most
  No driver reads larger ones. | ntfs-3g, Windows
B07 E What FAT has there is zero
  ntfs-3g refuses the volume. | ntfs-3g
B08 W The medium is F8, a hard disk
  It is a constant; another hints at damage. | Windows volumes
B09 E The image holds the whole volume
  It was cut: ntfs3 refuses it or goes read-only. | ntfs3
B10 N The volume reaches to the end of its image
  Windows looks for the backup in the last sector of the partition. | Windows volumes
B11 E The last sector, or that of the partition, is a copy of the first
  The volume cannot be repaired from it; chkdsk rewrites it. | chkdsk, ntfsfix
B12 E $MFT begins inside of the volume
  Nothing can be found. | all drivers
B13 E $MFTMirr begins inside of the volume, elsewhere than $MFT
  ntfs-3g refuses the volume. | ntfs-3g
B14 E A record has 1024, 2048 or 4096 bytes
  ntfs3 refuses the volume. | ntfs3
B15 E An index block has 512 to 65536 bytes
  Directories cannot be read. | all drivers
B16 E There are less than 2**32 clusters
  Windows has 32 bits for them. | Windows
B17 W The serial number is not 0
  Windows tells volumes apart by it. | Windows volumes
B18 N The checksum is 0 or right
  Nobody checks it; a wrong one hints at damage. | layout
B19 E The boot sector makes sense
  Only its backup does: the first sector was overwritten. | layout
B20 E $MFT begins where the boot sector says
  The two disagree: one is stale. | layout, chkdsk
B21 E $MFTMirr begins where the boot sector says
  The two disagree: one is stale. | layout, ntfs-3g
B22 W The boot sector begins with a jump
  Firmware and Windows take it for no boot sector. | Windows volumes, mkntfs
C01 E Clusters in use are marked in $Bitmap
  The next write gives them to another file. | chkdsk
C02 E Clusters that are marked in $Bitmap are in use
  They are lost. | chkdsk
C03 E A cluster belongs to one attribute
  A write to one changes the other. | chkdsk
C04 E $Bitmap covers all clusters
  Those at the end cannot be allocated, or all are taken as free. | chkdsk, ntfs3
C05 W Bits behind the last cluster are ones
  A driver may allocate behind the end. | Windows volumes
C06 E $MFT:$BITMAP covers all records
  Those at the end are taken as free. | chkdsk
C07 W Bits behind the last record of the $MFT are zeros
  A record is in use that is not there. | Windows volumes
C08 W $Bitmap has a multiple of 8 bytes
  Windows works on it in words of 64 bits. | Windows volumes
C10 E $Bitmap has a non-resident $DATA
  Nothing can be allocated. | all drivers
C11 W $MFT:$BITMAP has a multiple of 8 bytes
  Windows works on it in words of 64 bits. | Windows volumes
C12 E $Bitmap is initialized as far as it is needed
  Clusters behind read as free. | layout
S01 E $Secure has $SDS, $SDH and $SII
  Windows cannot write to the volume. | ntfs.sys, chkdsk
S02 E $SII leads into $SDS
  A descriptor is lost. | chkdsk
S03 E An entry of $SDS begins with what $SII says of it
  The descriptor is that of another id, or none. | chkdsk
S04 E The hash of a descriptor is right
  It is not found again; chkdsk replaces it. | chkdsk
S05 E Every entry of $SDS has its copy 256 KiB behind
  chkdsk has nothing to repair it from. | chkdsk
S06 E An entry of $SDS lies at a multiple of 16, in one block of entries
  Windows looks for it elsewhere. | layout
S07 E Entries of $SDS do not overlap
  One overwrote the other. | layout
S08 N $SDS ends behind the copy of its last entry
  There are entries that no index knows. | Windows volumes
S09 W Security ids begin at 0x100
  Those below are reserved. | Windows volumes
S10 E A descriptor in $SDS is sound
  Windows takes the files as inaccessible. | chkdsk
S12 E A security id in use is in $SII
  Windows takes the file as inaccessible; chkdsk gives it another. | chkdsk
S13 W A file has a security id, or a descriptor, but below $Extend and where there is no room
  Windows denies access. | ntfs.sys
S14 E A file's own descriptor is sound
  Windows takes the file as inaccessible. | chkdsk
S15 E $SDH says of a descriptor what $SII says
  Lookups by hash find another one. | chkdsk
S16 E $SDS is not resident
  Windows reads it from clusters. | Windows volumes
S17 E What is in $SDH is in $SII
  A descriptor is found that no file can name. | chkdsk
S18 W A descriptor has an owner and a group
  Windows writes none without; nobody may change it. | Windows volumes
V01 E An entry of $SII is an id and where its descriptor lies
  Descriptors are not found. | layout
V02 E An entry of $SDH is a hash, an id, and where its descriptor lies
  Descriptors are not found again. | layout
V03 E An entry of $R is a tag and a reference
  Windows cannot list reparse points. | layout
V04 E An entry of $ObjId:$O is an id, a reference and the ids at birth
  Files are not found by their object id. | layout
V05 E An entry of $Quota:$O is a SID and an owner id
  Owners are not found. | layout
V06 E The key of $Quota:$Q is an owner id
  Quotas are not found. | layout
V08 E What is in $SII is in $SDH
  The descriptor is filed again and again. | chkdsk
V09 E Every reparse point is in $Reparse:$R
  Windows does not list it; chkdsk enters it. | chkdsk
V10 E $Reparse:$R lists nothing but reparse points
  An entry is stale. | chkdsk
V11 E Every object id is in $ObjId:$O
  The file is not found by it; chkdsk enters it. | chkdsk
V12 E $ObjId:$O lists nothing but object ids
  An entry is stale. | chkdsk
V13 W $Quota:$Q has the default, entry 1
  Windows finds no settings. | Windows volumes
V14 E An owner of $Quota:$O is in $Quota:$Q
  His quota is not found. | chkdsk
V15 E $Quota:$Q names the owner that $Quota:$O names
  His quota is that of another. | chkdsk
V16 W While quotas are tracked, an owner of a file is in $Quota:$Q
  What he uses is charged to nobody. | chkdsk
V17 E $ObjId:$O leads to the file that has the object id
  Another file is opened, or none. | chkdsk
V18 E An entry of $Quota:$Q has 48 bytes and a SID
  It is no quota. | layout
V19 E An entry of $Quota:$Q is of version 2
  Windows knows no other. | layout
V20 E An owner of $Quota:$Q is in $Quota:$O
  He is given another id. | chkdsk
Y01 E The records 0 to 11 are in use
  A file of NTFS's own is lost. | all drivers
Y04 E $MFTMirr is a copy of the first records
  ntfs-3g refuses the volume; chkdsk rewrites it. | ntfs-3g, chkdsk
Y05 E $MFTMirr has room for four records
  The first ones cannot be repaired. | layout
Y06 E $MFT is whole records, 16 at least
  The last one is cut. | all drivers
Y07 E $MFT has a non-resident $BITMAP
  Records cannot be allocated. | all drivers
Y08 W All of $MFT is initialized
  The records behind read as zeros. | Windows volumes
Y09 E $Boot lies in the first clusters of the volume
  The boot sector may be given to a file. | chkdsk
Y10 W $Boot has 8 KiB
  Its loader may be overwritten. | Windows volumes
Y11 E $BadClus:$Bad spans all clusters
  Bad clusters at the end cannot be noted. | chkdsk, ntfs-3g
Y12 W $BadClus has an empty $DATA
  It is a constant. | Windows volumes
Y13 N No cluster is bad
  The disk that this is an image of was failing. | layout
Y14 E $UpCase has 131072 bytes
  Names cannot be compared; ntfs3 refuses the volume. | ntfs3
Y15 E $UpCase maps a to z to A to Z
  Names are not found. | layout
Y16 W What $UpCase maps to maps to itself
  Names may be equal one way and not the other. | layout
Y17 N $UpCase is the table of Windows 7 and later
  That of XP differs, too; all others make chkdsk complain. | chkdsk
Y18 W $UpCase:$Info has the checksum of the table
  chkdsk takes the table as damaged. | chkdsk
Y19 E $AttrDef begins with $STANDARD_INFORMATION
  ntfs3 refuses the volume. | ntfs3
Y20 W $AttrDef is the table of NTFS 3
  It is the same on all volumes since Windows 2000. | Windows volumes
Y21 E $Volume has a $VOLUME_INFORMATION of 12 bytes
  The version is not known. | all drivers
Y22 W The version is 3.1
  Windows upgrades older ones, and refuses newer ones. | Windows
Y23 W The volume is not marked dirty
  Windows checks it at the next start, Linux mounts it read-only. | ntfs3
Y24 W No check is noted as under way
  A check was interrupted. | Windows
Y25 E The label has up to 128 code units
  It cannot be read. | $AttrDef
Y26 E $LogFile is unused, or begins with restart pages
  It is garbage: Windows may refuse to mount. | ntfs-3g, ntfs3
Y27 W $LogFile was closed
  Changes may be in it alone: Windows replays it, Linux does or refuses. | ntfs-3g, ntfs3
Y28 E $LogFile has a non-resident $DATA
  There is no log. | all drivers
Y29 W $LogFile has 256 KiB or more, in whole pages
  Windows makes it anew. | Windows
Y30 W A page of $LogFile is whole
  A write was torn. | layout
Y31 W A log whose first page was never used holds nothing
  It was overwritten at its beginning. | mkntfs, Windows
Y32 E The first two pages of a log are restart pages
  One of them cannot stand for the other. | ntfs-3g
Y33 E $Quota, $ObjId and $Reparse have their indexes
  What they file is not found. | Windows volumes
Y34 W $Quota, $ObjId and $Reparse have the flags 0xD
  chkdsk corrects them. | chkdsk
Y35 E $UsnJrnl:$Max has 32 bytes
  Windows takes the journal as none. | Windows volumes
Y36 E $UsnJrnl:$J holds records, each in its page
  The rest of the journal cannot be read. | layout
Y37 E A record of $UsnJrnl lies at the offset that is its number
  It is not found. | layout
Y38 E Records of $UsnJrnl are of version 2 to 4
  Nobody can read them. | layout
Y39 W The records 12 to 15 are empty files without a name
  Windows formats them so. | Windows volumes
Y40 E $UsnJrnl has a stream $J
  There is no journal. | layout
Y41 E A restart page is whole
  A write was torn. | ntfs-3g
Y42 E A log has pages of 4096 bytes, and a version that is known
  Drivers refuse it. | ntfs-3g, ntfs3
Y43 E A restart area lies in its page
  The page says nothing. | ntfs-3g
Y44 E A log is no longer than its file
  Drivers read behind its end. | ntfs-3g
Y45 W A page of $LogFile is a log page, or unused
  It was overwritten. | layout
Y46 E The name in a record of $UsnJrnl lies in it
  It cannot be read. | layout
Y47 W The records 12 to 15 are in use
  A driver may give them to files. | Windows volumes
Y48 W Windows has nothing to do at the next mount
  The log is to be resized, the volume upgraded, or the journal deleted. | Windows
Y49 W $Volume has a label, be it empty
  Windows and mkntfs always write one. | Windows volumes
Y50 E $BadClus has a non-resident stream $Bad
  Bad clusters cannot be noted. | chkdsk
Y51 E $BadClus:$Bad has the size of the volume, nothing of it initialized
  chkdsk corrects it. | Windows volumes
Y52 E Bad clusters lie at their own place in $Bad
  Others are meant. | layout
Y53 W $UpCase:$Info has 32 bytes
  Its checksum cannot be read. | Windows volumes
Y54 E $Extend is a directory
  What is in it is not found. | all drivers
Y55 E The root is a directory
  No file can be found. | all drivers
Y56 E $MFT begins with its own record
  Only the copy in $MFTMirr makes sense. | chkdsk
Y57 W The streams of NTFS's own files are initialized to their end
  What is behind reads as zeros. | Windows volumes
Y58 W Restart pages of one age say the same
  It depends on the driver which of them counts. | ntfs-3g
Y59 E A restart area holds its clients, and lies in its page
  Drivers refuse the page. | ntfs-3g
Y60 E The lists of a log begin with a client that is there, and is the first
  Drivers refuse the page. | ntfs-3g
Y61 E A restart area has sequence bits that fit the size of the log, and lengths that are multiples of 8
  Drivers refuse the page. | ntfs-3g
Y62 E Only chkdsk writes its LSN into a restart page, which then begins with CHKD
  Drivers refuse the page. | ntfs-3g
Y64 W $Extend has $Quota, $ObjId and $Reparse, or is as empty as a new format leaves it
  Windows makes the one that is missing anew, and what it filed is lost. | Windows volumes, mkntfs
Y63 E Label and version are those of $Volume alone
  Nobody looks for them elsewhere. | layout
"""
