"""Measures of a text: the share of its capitals, and its length."""

from string import ascii_lowercase, ascii_uppercase
from typing import Final

from moderator.policy.text.readings import Reading

_UPPER: Final = ascii_uppercase.encode()
_LOWER: Final = ascii_lowercase.encode()


def capitals(text: Reading) -> float:
    """Give the share of capitals among the letters that have case, 0 to 1; 0 where there are none."""
    if text.is_ascii:
        content = text.sent.encode()
        upper = len(content) - len(content.translate(None, _UPPER))
        lower = len(content) - len(content.translate(None, _LOWER))
    else:
        letters = [each for each in text.shown if each.isalpha()]
        upper, lower = sum(map(str.isupper, letters)), sum(map(str.islower, letters))
    return upper / (upper + lower) if upper else 0.0


def length(text: Reading) -> float:
    """Give the characters (code points) of the plain reading."""
    return float(len(text.plain))
