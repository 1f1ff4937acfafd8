"""Names that NTFS takes and Windows does not."""

LONE = ["high \ud83d alone", "low \ude00 alone", "pair the wrong way round \ude00\ud83d"]
ODD = [
    *(f"control {chr(c)}" for c in (1, 9, 10, 13, 31, 127, 0x85, 0xA0)),
    *('back\\slash', 'quote"', "star*", "question?", "less<", "more>", "pipe|", "colon:", "a:b:c", "a:$DATA"),
    *("trailing space ", "trailing dot.", " leading"),
    *("...", "-dash", "~", "%41", "$MFTx", "$mft", "$Extend."),
    *("CON", "nul.txt", "com1", "LPT9", "A", "a", "Straße", "STRASSE", "é", "e\u0301"),
    *("\ue000", "\uf8ff", "\ufdd0", "\ufffd", "in\ufeffside", "in\ufffeside", "\uffff"),
    *("\U0001f600", "\U00020000", "\U0010ffff"),
    *("a" * 255, "\u4e00" * 255, "\U0001f600" * 127 + "x"),
]  # fmt: skip

MARKS = ["\ufeffbyte order mark", "\ufffe"]
