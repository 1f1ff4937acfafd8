"""Random damage to a volume: bits, bytes, fields and whole structures, the update sequences right or not."""

from __future__ import annotations

import random
import struct

from tests.check.mutating import BLOCK, BLOCKS, DATA, RECORD, Image

ODD = (
    0,
    1,
    7,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
    (1 << 64) - 1,
)
HEAD_BYTES = 0x40


def damage(image: Image, sound: Image, seed: int) -> None:
    """Up to five places that hold metadata, each changed in one way or another.

    Where they are is asked of the sound volume, for the way to one may be damaged by another.
    """
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 5)):
        kind = dice.randrange(10)
        if kind < 5:
            number = dice.choice([*range(60), dice.randrange(360)])
            with image.editing(sound.where(number)) as record:
                if record[:4] == b"FILE":
                    _change(record, dice, HEAD_BYTES if kind == 0 else RECORD)
        elif kind < 7:
            number, which = dice.choice([(5, 0), *((image["big"], which) for which in range(4))])
            with image.editing(sound.place(number, (BLOCKS, "$I30"), which * BLOCK), BLOCK) as block:
                _change(block, dice, dice.choice([HEAD_BYTES, BLOCK]))
        elif kind == 7:
            number, what = dice.choice(
                [(9, (DATA, "$SDS")), (6, DATA), (image["comp.bin"], DATA), (10, DATA)]
            )
            at = sound.place(number, what, dice.randrange(512))
            image.data[at] = dice.randrange(256)
        elif kind == 8:
            at = dice.randrange(0x0B, 0x54)
            image.data[at] = dice.randrange(256)
        else:
            at = dice.randrange(len(image.data))
            image.data[at : at + 16] = dice.randbytes(16)[: len(image.data) - at]


def _change(data: bytearray, dice: random.Random, limit: int) -> None:
    """The update sequence array stays where it is: without it all else would be hidden."""
    at = dice.randrange(8, limit - 8)
    kind = dice.randrange(4)
    if kind == 0:
        data[at] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[at] = dice.randrange(256)
    elif kind == 2:
        form = dice.choice(["<B", "<H", "<I", "<Q"])
        value = dice.choice(ODD) & (1 << 8 * struct.calcsize(form)) - 1
        struct.pack_into(form, data, at, value)
    else:
        end = min(at + dice.randrange(1, 64), len(data))
        data[at:end] = dice.randbytes(end - at)
