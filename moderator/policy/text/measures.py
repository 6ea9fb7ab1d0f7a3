"""Measures of a text: the share of its capitals, and its length."""

import re
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from moderator.policy.text.readings import Reading

_UPPER: Final = ascii_uppercase.encode()
_LOWER: Final = ascii_lowercase.encode()
_BEYOND_ASCII: Final = re.compile("[^\x00-\x7f]+")


def capitals(text: Reading) -> float:
    """Give the share of capitals among the letters that have case, 0 to 1; 0 where there are none."""
    seen = text.shown
    content = seen.encode("ascii", "ignore")
    upper = len(content) - len(content.translate(None, _UPPER))
    lower = len(content) - len(content.translate(None, _LOWER))
    if not text.is_ascii:
        others = [each for run in _BEYOND_ASCII.findall(seen) for each in run if each.isalpha()]
        upper += sum(map(str.isupper, others))
        lower += sum(map(str.islower, others))
    return upper / (upper + lower) if upper else 0.0


def length(text: Reading) -> float:
    """Give the characters (code points) of the plain reading."""
    return float(len(text.plain))
