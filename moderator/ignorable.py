"""Characters that show nothing, by Unicode's property Default_Ignorable_Code_Point, which Python does not know.

What a model reads, what a policy file may hold and what a list is compared with all start from it.
"""

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


def class_of(codes: Iterable[int]) -> str:
    """Write code points as the inside of a character class of `re`."""
    wanted = sorted(codes)
    starts = [code for before, code in pairwise((-9, *wanted)) if code != before + 1]
    ends = [code for code, after in pairwise((*wanted, -9)) if after != code + 1]
    return "".join(rf"\U{start:08x}-\U{end:08x}" for start, end in zip(starts, ends, strict=True))
