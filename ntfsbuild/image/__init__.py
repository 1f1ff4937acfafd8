"""Block storage, without a notion of NTFS."""
