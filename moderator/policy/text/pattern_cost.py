"""What patterns may cost at worst, from how they are written: RE2 is linear in the text, and this bounds how steep."""

import math
import re
from functools import cache, lru_cache
from itertools import takewhile
from typing import Final

import re2

MOST_STEPS: Final = 10_000
"""Steps a character that all patterns of a folder may cost; the worst text takes 10 to 25 ns for each."""

_BEYOND_ONE_BYTE: Final = re.compile(r"\\x\{[0-9A-Fa-f]{3,}\}|[^\x00-\xff]")
_ANY_LETTER: Final = "\u00e9"
_PREFIX_BYTES: Final = 20


@lru_cache(maxsize=4_096)  # a list stays as it is through many edits of rules
def steps_of(pattern: str) -> int:
    """Give at how many places of an accepted pattern a text may be at once.

    These are the places of the pattern with its repetitions written out, divided by how far apart it can begin: a
    pattern that begins with the letters `wallet` begins at every sixth character at most.
    """
    return math.ceil(_places(pattern) / _distance(_prefix(pattern)))


def _places(pattern: str) -> int:
    # In bytes: in UTF-8 a class such as \p{L} has a thousand instructions, of which a character takes one or two.
    one_byte = _BEYOND_ONE_BYTE.sub(_ANY_LETTER, pattern).encode("latin-1")
    try:
        found = re2.compile(one_byte, _options(re2.Options.Encoding.LATIN1))
    except re2.error:  # a range such as [ÿ-я] runs backwards in bytes
        found = _in_utf8(pattern)
    places: int = found.programsize
    return places


def _prefix(pattern: str) -> str:
    """Give letters that everything the pattern finds begins with."""
    try:
        least, greatest = _in_utf8(pattern).possiblematchrange(_PREFIX_BYTES)
    except re2.error:  # it may begin with anything
        return ""
    pairs = zip(least, greatest, strict=False)
    return bytes(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)).decode(errors="ignore").lower()


def _distance(prefix: str) -> int:
    """Give how far apart a text can hold two of a prefix at least: 3 for `abcab`, 1 for `aa`."""
    return next((size for size in range(1, len(prefix)) if prefix.startswith(prefix[size:])), len(prefix) or 1)


def _in_utf8(pattern: str) -> "re2._Regexp":
    return re2.compile(pattern, _options(re2.Options.Encoding.UTF8))


@cache
def _options(encoding: re2.Options.Encoding) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.encoding = encoding
    return options
