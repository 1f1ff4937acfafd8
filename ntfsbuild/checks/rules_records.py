"""The rules of records, attributes, and attribute lists."""

TABLE = """
R01 E A record that is marked in $MFT:$BITMAP is one
  A file is lost. | chkdsk
R02 E No record was found torn
  BAAD says that a driver saw half of a write. | chkdsk
R03 E The update sequence array fits its record
  Drivers refuse the record. | all drivers
R04 E Every 512 bytes of a record end in its update sequence number
  Half of a write is missing. | all drivers
R05 N The update sequence number is not 0
  Windows never uses it. | Windows volumes
R06 E A record in use is marked in $MFT:$BITMAP
  The next file overwrites it. | chkdsk
R07 E A record that is marked in $MFT:$BITMAP is in use
  It is lost. | chkdsk
R08 E A record says how large it is
  ntfs-3g and ntfs3 refuse it. | ntfs-3g, ntfs3
R09 E The used bytes of a record are a multiple of 8 inside of it
  Its attributes are cut. | ntfs-3g, ntfs3
R10 E The used bytes of a record end 8 bytes behind its end mark's begin
  chkdsk corrects it. | chkdsk
R11 E The first attribute lies behind the update sequence, at a multiple of 8
  Drivers refuse the record. | ntfs-3g, ntfs3
R12 E A record has its own number
  It was written to the wrong place. | chkdsk
R13 E A record in use has a sequence number
  0 means that nobody checks it. | chkdsk
R14 E The first 16 records have fixed sequence numbers
  References to them, which are constants, are stale. | chkdsk
R15 E The next id is larger than all that are in use
  The next attribute gets an id that is taken. | chkdsk
R16 E Attributes of a record have different ids
  Attribute lists cannot tell them apart. | chkdsk
R17 E A record has no unknown flags
  Windows knows four. | layout
R18 E A record is a directory exactly if it has $I30
  It cannot be listed, or is listed though it is a file. | chkdsk
R19 E A record says that it has a view index exactly if it has one
  chkdsk corrects the flags. | chkdsk
R20 E The link count is the number of names
  The file outlives its last name, or dies before it. | chkdsk
R23 E Attributes end in an end mark
  Drivers refuse the record. | all drivers
R24 N A record that was never used is empty
  There is garbage in the $MFT. | Windows volumes
R26 W No record is newer than the log
  The log is that of another time. | chkdsk
R27 W A record that says so lives below $Extend
  It is hidden from users. | Windows volumes
A01 E The type of an attribute is known
  Drivers refuse the record. | $AttrDef
A02 E The length of an attribute is a multiple of 8 that ends in its record
  This and all behind it cannot be read. | all drivers
A03 E An attribute is resident (0) or not (1)
  Drivers disagree on it. | layout
A04 E Attributes that must be resident are
  Drivers refuse it. | $AttrDef
A05 E $INDEX_ALLOCATION is not resident
  Drivers refuse it. | ntfs-3g
A06 E Attributes are sorted by type and name
  Those out of order are not found. | chkdsk
A07 E The name of an attribute lies between its header and its value
  It cannot be found. | all drivers
A08 W A stream's name has no NUL, slash or colon
  Nobody can open it. | Windows
A09 E A resident value lies in its attribute
  It is cut. | all drivers
A10 E A resident value begins at a multiple of 8
  chkdsk takes the attribute as damaged. | layout
A11 E A value is as large as its type allows
  Drivers refuse it. | $AttrDef
A12 E $FILE_NAME and nothing else is marked as indexed
  chkdsk takes the attribute as damaged. | chkdsk
A13 E There is one attribute of a type and name
  Only one of them is found. | chkdsk
A14 E Attributes without a name have none
  They are not found. | layout
A15 E An attribute has no unknown flags, and LZNT1 for compression
  Nobody can read it. | layout
A16 E An attribute is not compressed and encrypted
  Nobody can read it. | Windows
A17 E Only data is compressed, sparse or encrypted, or a directory for new files
  Drivers refuse the record. | layout
A19 E The run list lies in its attribute, behind header and name
  The content cannot be found. | all drivers
A20 E The run list can be read to its end
  The rest of the content is lost. | all drivers
A21 E Runs lie inside of the volume
  The content is lost. | all drivers
A22 E The last VCN is what the runs add up to
  Drivers refuse the attribute. | ntfs-3g, ntfs3
A23 E No more is initialized than there is
  Drivers read what nobody wrote. | ntfs-3g, ntfs3, chkdsk
A24 E There is no more data than is allocated
  Drivers read behind the end. | ntfs-3g, ntfs3
A25 E The allocated size is that of the runs
  chkdsk corrects it. | chkdsk
A26 E The compressed size is that of the clusters that are there
  chkdsk corrects it. | chkdsk
A27 E Compressed and sparse attributes have a compressed size
  The header is read wrong. | layout
A28 E A unit of compression is 16 clusters of 4096 bytes at most
  Windows refuses the file. | Windows
A29 W The unit of a sparse attribute is 16 clusters at most
  No driver makes such. | Windows volumes, ntfs-3g
A30 E A plain attribute has no unit of compression
  Drivers take it as compressed. | layout
A31 E Only compressed and sparse attributes have holes
  ntfs3 refuses the file, others read zeros. | ntfs3
A32 W Reserved bytes of a non-resident header are zero
  They hint at damage. | Windows volumes
A33 E Of attributes that are no data all is initialized
  What is behind reads as zeros. | ntfs-3g, Windows volumes
A34 E Streams of a file differ in more than case
  Windows opens the first of them only. | Windows
L01 E The entries of an attribute list can be read
  All behind is lost. | all drivers
L02 E The entries of an attribute list are sorted
  Attributes are not found. | chkdsk
L03 E A list does not list itself
  Drivers refuse it. | layout
L04 E A list leads to records that are in use
  An attribute is lost. | chkdsk
L05 E A list names the sequence number of a record
  An attribute is lost. | chkdsk
L06 E A list leads to records of its own file
  The attribute is that of another file. | chkdsk
L07 E What is listed is there
  An attribute is lost. | chkdsk
L08 E What is there is listed
  Windows and Linux do not see the attribute. | ntfs-3g, ntfs3
L09 E Nothing is listed twice
  It is read twice. | chkdsk
L10 E $STANDARD_INFORMATION and the list lie in the base record
  They are not found. | layout
L11 E A list has 256 KiB at most
  Windows refuses the file. | Windows
L12 N A file with a list has more than one record
  Windows leaves such behind. | Windows
L13 E The pieces of an attribute join
  Some of the content is lost, or there twice. | ntfs-3g, ntfs3
L14 E An extension belongs to a base record
  It is lost. | chkdsk
L15 E An extension's base record has a list
  The extension is lost. | chkdsk
L16 N An extension has no links
  Names count in the base record; Windows has left 65535 in one that holds a name. | Windows volumes
L18 E An attribute has a first piece
  Its sizes are lost. | ntfs-3g, ntfs3
L19 E A list's clusters hold it
  Attributes are lost. | ntfs-3g, ntfs3
L20 N An extension has no flags but those that its own indexes explain
  Windows XP to 10 mark one that holds a part of $I30 as a directory. | Windows volumes
"""
