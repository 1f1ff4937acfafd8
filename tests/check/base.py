"""The volume that the matrix mutates: small, and with one of everything."""

from __future__ import annotations

import struct
from pathlib import Path

from ntfsbuild import builder
from ntfsbuild.volume.opening import Volume

WOF_BYTES = 100_000
CHUNKS, CHUNK_BYTES = 25, 263
WOF_REPARSE = struct.pack("<4I", 1, 2, 1, 0).hex()
WOF_DATA = struct.pack(f"<{CHUNKS - 1}I", *range(CHUNK_BYTES, CHUNKS * CHUNK_BYTES, CHUNK_BYTES))


def zeros_in_xpress(size: int) -> bytes:
    """A chunk of zeros: a literal, and a match of all the rest; both have codes of one bit."""
    lengths = bytearray(256)
    lengths[0], lengths[(256 + 15) // 2] = 0x01, 0x10
    return bytes(lengths) + struct.pack("<HHBH", 0x4000, 0, 0xFF, size - 1 - 3)


for at in range(0, WOF_BYTES, 4096):
    WOF_DATA += zeros_in_xpress(min(4096, WOF_BYTES - at))


def usn_record(at: int, name: str) -> bytes:
    """A record of version 2 at that offset."""
    text = name.encode("utf-16-le")
    size = (0x3C + len(text) + 7) & ~7
    head = struct.pack("<IHHQQQQIIIIHH", size, 2, 0, 30, 5, at, 1 << 56, 1, 0, 0, 0x20, len(text), 0x3C)
    return (head + text).ljust(size, b"\0")


JOURNAL = usn_record(0, "one.txt")
JOURNAL += usn_record(len(JOURNAL), "two.txt")

MANIFEST = f"""\
ntfsbuild: 1
volume: {{size: auto+1MiB, cluster: 512, label: MATRIX, serial: 1}}
defaults: {{times: 2024-01-01}}
tree:
  plain.txt: hello
  data.bin: {{size: 20000, fill: random, seed: 1}}
  other.bin: {{size: 20000, fill: random, seed: 2}}
  half.bin: {{size: 20000, fill: random, seed: 2, valid_data: 5000}}
  small/: {{a.txt: a, b.txt: b, c.txt: c, inner/: {{d.txt: d}}}}
  comp.bin:
    size: 200000
    data: [{{at: 0, text: "text"}}, {{at: 90000, size: 9000, fill: random, seed: 4}}]
    compressed: true
  sparse.bin: {{size: 200000, sparse: true, data: [{{at: 0, text: head}}]}}
  link: {{symlink: small}}
  fifo: {{wsl: fifo}}
  char: {{wsl: {{char: [5, 1]}}, unix: {{uid: 1, gid: 1, mode: "0600"}}}}
  ea.txt: {{text: x, ea: {{ONE: "1", TWO: "2"}}}}
  id.txt: {{text: x, object_id: 00000000-0000-0000-0000-0000000000aa}}
  id2.txt: {{text: x, object_id: 00000000-0000-0000-0000-0000000000ab}}
  A long file name.text: {{text: x, short_name: ALONGF~1.TEX}}
  SHORT.TXT: {{text: x, short_name: SHORT.TXT}}
  twice.txt: linked
  small/twice.txt: {{hardlink: twice.txt}}
  secured.txt: {{text: x, security: "O:BAG:SYD:(A;;FA;;;BA)"}}
  streams.txt: {{text: x, streams: {{one: "1", two: "2"}}}}
  sparse stream.txt: {{text: x, streams: {{one: "1", two: {{size: 200000, sparse: true}}}}}}
  sparse stream/: {{.: {{streams: {{one: {{size: 200000, sparse: true}}}}}}}}
  wof.bin:
    size: {WOF_BYTES}
    sparse: true
    reparse: {{tag: 0x80000017, data: {{hex: "{WOF_REPARSE}"}}}}
    streams: {{WofCompressedData: {{hex: "{WOF_DATA.hex()}"}}}}
  $UsnJrnl:
    text: ""
    streams:
      $Max: {{hex: "{bytes(32).hex()}"}}
      $J: {{hex: "{JOURNAL.ljust(2048, bytes(1)).hex()}"}}
  many.bin: {{text: x, streams: {{{", ".join(f's{n}: "stream {n}"' for n in range(60))}}}}}
  pieces.bin:
    size: 3MiB
    sparse: true
    data: [{", ".join(f"{{at: {n * 16384}, text: x}}" for n in range(180))}]
  big/: {{{", ".join(f'"a file with a long name {n:03}.txt": ""' for n in range(300))}}}
"""


def build(folder: Path) -> tuple[bytes, dict[str, int]]:
    """The volume, and the records of its files."""
    manifest, image = folder / "matrix.yaml", folder / "matrix.img"
    manifest.write_text(MANIFEST)
    builder.build(manifest, image)
    with Volume.open(image) as volume:
        numbers = {path.strip("/"): item.record for path, item in volume.walk("/", system=True)}
    return image.read_bytes(), numbers
