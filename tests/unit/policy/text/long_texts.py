"""Texts each of which costs some way of reading texts dearly."""

from collections.abc import Mapping
from typing import Final

SENTENCE: Final = "the quick brown fox jumps over the lazy dog and then some more words follow here, see main.rs "
_PIECES: Final[Mapping[str, str]] = {
    "a": "a",
    "sentences": SENTENCE,
    "sentences with é": SENTENCE + "é ",
    "combining marks": "\u0301\u0323",
    "letters with marks": "a\u0301",
    "www.": "www. ",
    "www.www.": "www.",
    "slashes": "http://",
    "at signs": "https://a@",
    "Cyrillic": "привет ",
    "look-alikes": "\u0441\u0430\u0441\u041c",
    "emoji": "\U0001f600",
    "Hangul": "가각",
    "phrases in one character": "\ufdfa",
    "hidden characters": "\u200ba",
    "line ends": "\r\n",
    "line ends that show nothing": "a\u2028",
    "overrides": "\u202eab",
    "blanks": "a\u3164",
    "controls": "a\x01",
    "drawn-out letters": "\u0628\u0640",
    "links in links": "[https://a.b/?c=https://d.e](f.g/",
}


def long_texts(size: int) -> dict[str, str]:
    """Give each text, of at most `size` bytes in UTF-8, by what it is made of."""
    texts = {name: piece * (size // len(piece.encode())) for name, piece in _PIECES.items()}
    return texts | {"hosts": "".join(f"https://{number:06}.x " for number in range(size // 17))}
