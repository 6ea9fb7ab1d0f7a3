"""Characters that look like one ASCII letter.

They are those of Unicode's confusables, as `confusable-homoglyphs` carries them, and what those leave out: letters in
black squares and circles, small capitals, and letters with a stroke, a bar or a hook, which are not marks of their own.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import orjson

_LAST_WITH_CASE: Final = 0x1FFFF
"""Beyond, no character has case nor looks like an ASCII letter."""
_IN_BLACK: Final = (0x1F150, 0x1F170)
"""Where the capitals in circles and in squares begin."""
_LATIN: Final = (
    *(range(0xC0, 0x2B0), range(0x1D00, 0x1DC0), range(0x1E00, 0x1F00)),
    *(range(0x2C60, 0x2C80), range(0xA720, 0xA7CB)),
)
"""Blocks of Latin letters that every supported Python knows alike."""
_NAME: Final = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]) WITH .*"
    r"|LATIN (?:SMALL|CAPITAL) LETTER (?:BARRED|DOTLESS|SCRIPT) ([A-Z])"
    r"|LATIN (?:LETTER SMALL CAPITAL|SMALL CAPITAL LETTER) ([A-Z])(?: WITH .*)?"
)
_FLAGS: Final = re.compile("[\U0001f1e6-\U0001f1ff]{3,}")
"""Letters of flags; two of them are a flag, and no word is spelled with."""
_FIRST_OF_FLAGS: Final = 0x1F1E6


@cache
def look_alikes() -> Mapping[str, str]:
    """Give each character beyond ASCII that looks like a single ASCII letter, and that letter in lower case.

    ASCII characters are no keys: in the data `m` looks like `rn` and `0` like `O`, and no digit could be matched.
    """
    data = orjson.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_bytes())
    pairs = ((character, each["c"]) for character, likes in data.items() for each in likes)
    return MappingProxyType(
        dict(_more_alike())
        | {
            character: letter.lower()
            for character, letter in sorted(pairs, reverse=True)
            if len(character) == 1 and not character.isascii() and letter in _ASCII_LETTERS
        }
    )


def folded_to_ascii(text: str) -> str:
    """Fold the case of a text in NFD and replace what looks like an ASCII letter, before or after folding."""
    return _FLAGS.sub(_spelled, text).translate(_table())


@cache
def fingerprint() -> str:
    """Give 64 hex digits of SHA-256 over the look-alikes."""
    return hashlib.sha256(orjson.dumps(dict(look_alikes()), option=orjson.OPT_SORT_KEYS)).hexdigest()


_ASCII_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _more_alike() -> Iterator[tuple[str, str]]:
    """Yield characters that Unicode's confusables leave out, with the letters that they look like."""
    for first in _IN_BLACK:
        for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz"):
            yield chr(first + place), letter
    for character in (chr(code) for codes in _LATIN for code in codes):
        found = None if unicodedata.decomposition(character) else _NAME.fullmatch(unicodedata.name(character, ""))
        if found is not None:
            yield character, next(filter(None, found.groups())).lower()


def _spelled(flags: re.Match[str]) -> str:
    return "".join(chr(ord("a") + ord(each) - _FIRST_OF_FLAGS) for each in flags[0])


@cache
def _table() -> list[int | str]:
    """Give what replaces each character: in a list, `translate` finds it fastest; what lies beyond its end stays."""
    alike = look_alikes()
    codes = range(_LAST_WITH_CASE + 1)
    # All at once, because one at a time takes half a second.
    folded = "\0".join(map(chr, codes[1:])).casefold().split("\0")
    table: list[int | str] = list(codes)
    for code, each in enumerate(folded, start=1):
        character = chr(code)
        if character in alike:
            table[code] = alike[character]
        elif each != character:
            table[code] = "".join(alike.get(part, part) for part in each)
    return table
