"""Characters that look like one ASCII letter, from Unicode's confusables as `confusable-homoglyphs` carries them."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import orjson

_LAST_WITH_CASE: Final = 0x1FFFF
"""Beyond, no character has case nor looks like an ASCII letter."""


@cache
def look_alikes() -> Mapping[str, str]:
    """Give each character beyond ASCII that looks like a single ASCII letter, and that letter in lower case.

    ASCII characters are no keys: in the data `m` looks like `rn` and `0` like `O`, and no digit could be matched.
    """
    data = orjson.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_bytes())
    pairs = ((character, each["c"]) for character, likes in data.items() for each in likes)
    return MappingProxyType(
        {
            character: letter.lower()
            for character, letter in sorted(pairs, reverse=True)
            if len(character) == 1 and not character.isascii() and letter in _ASCII_LETTERS
        }
    )


def folded_to_ascii(text: str) -> str:
    """Fold the case of a text in NFD and replace what looks like an ASCII letter, before or after folding."""
    return text.translate(_table())


@cache
def fingerprint() -> str:
    """Give 64 hex digits of SHA-256 over the look-alikes."""
    return hashlib.sha256(orjson.dumps(dict(look_alikes()), option=orjson.OPT_SORT_KEYS)).hexdigest()


_ASCII_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


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
