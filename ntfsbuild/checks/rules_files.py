"""The rules of names, indexes, and what files hold."""

TABLE = """
N01 E A file has a name
  It cannot be reached; chkdsk puts it into found.000. | chkdsk
N02 E A $FILE_NAME is as long as its name needs
  chkdsk takes the attribute as damaged. | chkdsk
N03 E A namespace is 0 to 3
  Drivers refuse the name. | layout
N04 E A name is not empty
  The file cannot be named. | layout
N05 E A name has no NUL and no slash, and only the root's is `.`
  The file cannot be named, or a path with it means another file. | all drivers
N06 E Long and short names come in pairs
  chkdsk corrects the namespace. | chkdsk
N07 E A file has one short name at most
  Windows removes only one. | layout
N08 E A name that is long and short is 8.3
  chkdsk calls the name invalid. | chkdsk
N09 E A short name is 8.3, in upper case
  chkdsk calls the name invalid. | chkdsk
N10 W A name of Win32 is one that Win32 can open
  Windows lists the file and cannot open it. | Win32
N11 E A name lies in a record that is in use
  The file is an orphan. | chkdsk
N12 E A name lies in a directory
  The file is an orphan. | chkdsk
N13 E A name has the sequence number of its directory
  The directory was deleted: the file is an orphan. | chkdsk
N14 E A directory has one name
  Windows and Linux allow no hard links to directories. | Windows
N15 E Every name has an entry in its directory
  The file is an orphan; chkdsk enters it. | chkdsk
N16 E Every entry stands for a name of its file
  chkdsk removes it. | chkdsk
N17 E No directory lies below itself
  It cannot be reached, and who walks it never ends. | chkdsk
N18 W A file has 1024 links at most
  Windows makes no more. | Windows
N19 E A file has a name once
  An entry is missing, or there twice. | chkdsk
N20 E Names of Win32 in a directory differ in more than case, unless it is case-sensitive
  Windows opens the first of them only. | Windows
N21 W Times of names are less than 2**63
  Windows refuses them. | Windows
N23 E A short name lies in the directory of the long one
  Windows removes only one. | layout
N24 E NTFS's own files have their names, in the root
  chkdsk corrects them. | chkdsk
N25 E A $FILE_NAME says whether its file is a directory, and whether it is a view index
  chkdsk corrects it. | chkdsk, Windows volumes
I01 E An index has a root
  It cannot be read. | all drivers
I02 E An index says what it indexes
  Drivers refuse it. | ntfs-3g, ntfs3
I03 E An index has blocks of the size that the boot sector says
  Drivers refuse it. | ntfs-3g
I04 E An index says how many units a block has
  Drivers refuse it. | chkdsk
I05 E The root's entries lie in its value
  Drivers refuse the index. | ntfs-3g, ntfs3
I06 E A large index has blocks and a bitmap
  Entries are lost. | ntfs-3g, chkdsk
I07 E An index is sorted as its kind demands
  Entries are not found. | ntfs-3g, ntfs3
I08 E A block of an index begins with INDX
  Its entries are lost. | all drivers
I09 E The update sequence array fits its block
  Its entries are lost. | all drivers
I10 E A block's entries lie in it, and all that is left is theirs
  Drivers refuse the block; Windows takes the volume as damaged. | ntfs-3g, ntfs.sys
I11 E An entry ends in its node, and holds its key
  This and all behind it are lost. | ntfs-3g, ntfs3
I12 E A node has an end mark
  Drivers read behind its end. | ntfs-3g, ntfs3
I13 E All entries of a node have children, or none
  Entries are lost. | ntfs-3g
I14 E A child is a block of the index
  Entries are lost. | ntfs-3g, ntfs3
I15 E One way leads to a block
  Entries are seen twice, or for ever. | chkdsk
I16 E A block in use is marked in the index's bitmap
  The next insertion overwrites it. | chkdsk
I17 E A block that is marked in the index's bitmap is in use
  It is lost, perhaps with entries. | chkdsk
I18 E Keys ascend
  Entries are not found. | chkdsk
I19 E A key is there once
  Only one of the entries is found. | chkdsk
I20 E All leaves lie at one level
  The tree is damaged. | layout
I21 W No leaf is empty, but the only one
  ntfs-3g and Windows take it away. | Windows volumes
I22 E A tree has few levels
  It is a loop. | layout
I23 E The blocks of an index are whole, and initialized if they are in use
  Those behind are lost. | ntfs-3g, ntfs3
I24 E The bitmap of an index covers its blocks
  Those behind are taken as free. | chkdsk
I25 E Every 512 bytes of a block end in its update sequence number
  Half of a write is missing. | all drivers
I26 E A block has its own number
  It was written to the wrong place. | ntfs-3g, ntfs3
I27 E An entry leads to a record in use
  chkdsk removes it. | chkdsk
I28 E An entry has the sequence number of its file
  It stands for a file that was deleted; chkdsk removes it. | chkdsk
I29 E An entry leads to a base record
  No file is there. | chkdsk
I30 E An entry's parent is the directory that it lies in
  chkdsk corrects it. | chkdsk
I31 N An entry repeats the sizes of its file
  Listings show others. Windows writes them when a file is closed, which some never are. | Windows
I32 W An entry repeats the attributes of its file
  Listings show others. | Windows volumes
I33 W An entry repeats the tag of its reparse point
  Links are not followed. | Windows volumes
I34 E An entry says whether its file is a directory or a view index, but for those of NTFS's own files
  It cannot be entered, or is entered though it is a file. | chkdsk
I36 E The data of an entry lies in it
  It is lost. | layout
I37 E An end mark has no key
  Drivers refuse the node. | layout
I38 E An end mark ends its node
  There is something behind it that nobody reads. | ntfs-3g
I39 W Reserved bytes of an index root are zero
  They hint at damage. | Windows volumes
I40 W The bitmap of an index has a multiple of 8 bytes
  Windows works on it in words of 64 bits. | Windows volumes
I41 E The key of a directory's entry is a $FILE_NAME
  chkdsk removes the entry. | chkdsk
I42 W Reserved bytes of an entry are zero
  They hint at damage. | Windows volumes
I43 W Reserved bytes of a block's header are zero
  They hint at damage. | Windows volumes
I44 N All entries of a file repeat what it is
  Windows keeps up the one through which it was changed. | Windows
I45 W No block of an index is newer than the log
  The log is that of another time. | chkdsk
I46 N The update sequence number of a block is not 0
  Windows never uses it, one maker of volumes does. | Windows volumes
I47 E The flags of a node are 1 where it has children, else 0
  Drivers refuse the index, or lose what lies below. | layout
I48 E Root, blocks and bitmap of an index come together
  Blocks are lost, or the next one has no bit. | ntfs-3g, chkdsk
F01 E A file has $STANDARD_INFORMATION
  It has no times, and no owner. | chkdsk
F02 E $STANDARD_INFORMATION has 48 or 72 bytes
  Drivers read what is not there. | $AttrDef
F03 E A file says that it is a reparse point exactly if it is one
  It is opened wrong. | chkdsk
F04 E A file says that it is compressed exactly if it is
  chkdsk corrects it. | chkdsk
F05 W A file has an unnamed $DATA
  Windows always makes one. | Windows volumes
F06 W A directory has no unnamed $DATA
  Nobody can read it. | Windows volumes
F07 E A reparse point says how long it is, and has a tag
  Windows cannot open the file. | ntfs.sys
F08 E A link's data is what its tag demands
  It leads nowhere, or Windows cannot open it. | Windows, WSL
F09 W A special file of WSL is of the kind that its mode says
  Linux shows another kind. | WSL
F10 E $EA and $EA_INFORMATION come together
  Extended attributes are lost. | ntfs-3g, chkdsk
F11 E The entries of $EA can be read
  Extended attributes are lost. | ntfs-3g, ntfs3
F12 E $EA_INFORMATION says what $EA holds
  Drivers read too much or too little. | ntfs-3g, chkdsk
F13 W Names of extended attributes are printable
  Nobody can name them. | Windows
F14 E A file of WOF has its chunks, and versions that are known
  It cannot be read. | Windows
F15 E The chunks of WOF lie in their stream, in order
  The file cannot be read. | ntfs3, wimlib
F16 E A compressed unit can be decompressed
  Some of the file is lost. | ntfs-3g, ntfs3
F17 E A compressed unit begins with its clusters, and ends in its hole
  The file cannot be read. | ntfs-3g, ntfs3
F18 E An encrypted file has $EFS
  It cannot be read by anybody. | Windows
F19 E $EFS can be read, and has a key for somebody
  The file cannot be decrypted. | Windows
F20 W What has $EFS says that it is encrypted
  It is shown as plain. | Windows
F21 E An object id has 16 bytes that are not all zero
  The file cannot be found by it. | layout
F22 E No two files have one object id
  Only one of them is found by it. | chkdsk
F25 W Attributes are known
  They mean nothing to anybody. | Windows volumes
F26 W No attribute that exists in memory alone is on the disk
  A driver wrote 0x10 for a directory. | Windows volumes
F27 W Times are less than 2**63
  Windows refuses them. | Windows
F28 W Only directories are case-sensitive
  It means nothing for files. | Windows
F30 E A file whose main stream is sparse says so
  ntfs-3g refuses the file; chkdsk corrects it. | ntfs-3g, chkdsk
F31 E A file says that it is encrypted exactly if it is
  Windows opens it wrong. | chkdsk
F32 E An extended attribute is there once, in any case
  Only one of them is found. | Windows, ntfs-3g
F33 W A special file of WSL has no content
  Nobody reads it. | WSL
F34 W A device of WSL has its numbers
  Linux cannot open it. | WSL
F35 E The content of a file of WOF is a hole
  Drivers read the wrong one. | Windows
F36 W An extended attribute is needed (0x80), or has no flags
  Windows knows no others. | Windows
F37 W An encrypted directory has $EFS
  Windows does not know for whom to encrypt new files. | Windows
F38 W An object id has 16 or 64 bytes
  Windows writes no others. | Windows volumes
F40 E A chunk of WOF can be decompressed
  Some of the file is lost. | ntfs3, wimlib
F39 N A file says that it is sparse if a named stream is, and only if a stream is
  ntfs-3g does not set the bit for named streams; Windows leaves it when the stream is deleted. | Windows
"""
