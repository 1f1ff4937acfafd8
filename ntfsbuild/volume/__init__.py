"""NTFS volumes: read one that is there (`Volume`), or make a new one (`NewVolume`)."""

from __future__ import annotations

from ntfsbuild.volume.info import DirectoryItem, FileInfo, NameInfo, StreamInfo
from ntfsbuild.volume.volume import Volume

__all__ = ["DirectoryItem", "FileInfo", "NameInfo", "StreamInfo", "Volume"]
