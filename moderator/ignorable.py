"""Characters that show nothing: by Unicode's property Default_Ignorable_Code_Point, which Python lacks, and others.

What a model reads, what a policy file may hold and what a list is compared with all start from it.
"""

import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

IGNORABLE: Final = frozenset(
    code
    for first, last in (
        *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
        *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F)),
        *((0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)
"""Code points; some of them are still unassigned."""
BLANKS: Final = frozenset((0x2800, 0x3164, 0xFFA0, 0x13441, 0x13442, 0x16FE4, 0x1D159))
"""Letters, symbols and marks that show as a blank; Python takes none of them for white space."""
INVISIBLE: Final = (
    (IGNORABLE - BLANKS)
    # C0 and C1 controls but tab, line feed, carriage return and next line; interlinear marks and the object's place
    | ({*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\t\n\r\x85")))
    | {*range(0xFFF9, 0xFFFD)}
)
"""What shows neither anything nor a blank."""
SEPARATORS: Final = "\x85\u2028\u2029"
"""Browsers show nothing for them, and other programs a line's end."""
_CODES: Final = sys.maxunicode + 1


def class_of(codes: Iterable[int]) -> str:
    """Write code points as the inside of a character class of `re`."""
    return _written(_ranges(codes))


def complement_class_of(codes: Iterable[int]) -> str:
    """Write all other code points as the inside of a class, the highest first.

    `re` tries the ranges of a class beyond the first plane one by one: many of them take 20 times as long as a class of
    the first plane alone. With `[^...]` around what this gives, letters and emoji are found in the first step.
    """
    ranges = [(-1, -1), *_ranges(codes), (_CODES, _CODES)]
    gaps = [(end + 1, start - 1) for (_, end), (start, _) in pairwise(ranges) if end + 1 < start]
    return _written(gaps[::-1])


def _ranges(codes: Iterable[int]) -> list[tuple[int, int]]:
    wanted = sorted(codes)
    starts = [code for before, code in pairwise((-9, *wanted)) if code != before + 1]
    ends = [code for code, after in pairwise((*wanted, -9)) if after != code + 1]
    return list(zip(starts, ends, strict=True))


def _written(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(rf"\U{start:08x}-\U{end:08x}" for start, end in ranges)
