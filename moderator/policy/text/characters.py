"""Properties of characters that Python's `unicodedata` and `re` do not know: scripts, and what is to be ignored.

Scripts are those of RE2; general categories and combining classes are Python's.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

import re2

from moderator.ignorable import BLANKS, INVISIBLE, class_of

BEYOND: Final = "\U00010000-\U0010ffff"
"""Every character beyond the first plane. `re` compares these with each range of a class in turn, so ask them last."""
SEPARATING: Final = "\x0b\x0c\x1c-\x1f"
"""Controls that show nothing, or end a line or a page, as the inside of a class: words are looked for both ways."""

_WITH_REMOVABLE_MARKS: Final = ("Latin", "Greek", "Cyrillic")
_WITHOUT_SPACES: Final = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
_LAST: Final = 0x1FFFF
"""Beyond are Han, which is written without spaces, and selectors, which are ignorable: nothing that is asked about."""
_INVISIBLES: Final = re.compile(f"[{class_of(INVISIBLE)}]+")
_INVISIBLE_ASCII: Final = bytes(code for code in INVISIBLE if code < 0x80)  # noqa: PLR2004
_BLANK: Final = re.compile(f"[{class_of(BLANKS)}]")
_SPACES: Final = dict.fromkeys(BLANKS, " ")
_STRETCHES: Final = "\u0640\u07fa\u180a"
"""Only draw out the line between two letters: Arabic's tatweel, and those of N'Ko and Mongolian."""
_ASCII_WORD: Final = re.compile("([A-Za-z0-9]+)")
_LONG: Final = 64
_KEPT_OF_LONG: Final = 48
"""Fewer, so that what a letter before the run is made of makes no long run of it again."""


def words_in(text: str) -> re.Pattern[str]:
    """Give the pattern that splits a text into its words and what is between them.

    A word is a run of letters, marks and digits, but those of scripts that are written without spaces.
    """
    return _ASCII_WORD if text.isascii() else _word(is_near=_is_near(text))


def without_hidden(text: str) -> str:
    """Remove what shows nothing, and write a space for what shows as a blank."""
    if text.isascii():
        return text.encode().translate(None, _INVISIBLE_ASCII).decode()
    return _INVISIBLES.sub("", text.translate(_SPACES) if _BLANK.search(text) else text)


def without_stretches(text: str) -> str:
    """Remove what only draws out the line between two letters, and leave the marks that stand on it."""
    return text.translate(_unstretched()) if _stretched().search(text) else text


@cache
def spaceless_class() -> str:
    """Give the characters of scripts that are written without spaces as the inside of a character class."""
    return class_of(_members(_WITHOUT_SPACES))


@cache
def mark_class() -> str:
    """Give all marks of the first plane as the inside of a character class."""
    return class_of(_marks()[0])


def without_removable_marks(text: str) -> str:
    """Remove the marks that follow a letter of the Latin, Greek or Cyrillic script."""
    return _removable(is_near=_is_near(text)).sub("", text)


def without_long_mark_runs(text: str) -> str:
    """Cut runs of marks that are longer than in any writing.

    `unicodedata.normalize` takes time that grows with the square of such a run.
    """
    if len(text) < _LONG or not _maybe_long_run().search(text):
        return text
    return _long_run().sub(_cut, text)


@cache
def _word(*, is_near: bool) -> re.Pattern[str]:
    spaceless = frozenset(_members(_WITHOUT_SPACES))
    near, far = _near_and_far(code for code in _of_categories("LMN") if code not in spaceless)
    return re.compile(f"([{class_of(near)}]+)" if is_near else f"({_either(near, far)}+)")


@cache
def _stretched() -> re.Pattern[str]:
    return re.compile(f"[{class_of(_unstretched())}]")


@cache
def _unstretched() -> dict[int, str]:
    """Give the code points that are or hold a stretch, and what else is in them; all lie below the forms' end."""
    forms = [*map(ord, _STRETCHES), *range(0xFB50, 0xFF00)]
    return {
        code: "".join(each for each in _parts(chr(code)) if each not in _STRETCHES)
        for code in forms
        if not set(_STRETCHES).isdisjoint(_parts(chr(code)))
    }


@cache
def _marks() -> tuple[list[int], list[int]]:
    """Give all marks of the first plane, and all others."""
    return _near_and_far(_of_categories("M"))


@cache
def _removable(*, is_near: bool) -> re.Pattern[str]:
    """Match removable marks; `is_near` for a text without characters beyond the first plane."""
    near_letters, far_letters = map(class_of, _letters_with_removable_marks())
    if is_near:
        # The class comes first: a pattern that starts with one is searched fastest.
        marks = class_of(_marks()[0])
        return re.compile(f"[{marks}](?<=[{near_letters}].)[{marks}]*")
    mark = _either(*_marks())
    after = f"(?:(?<=[{near_letters}].)|(?<=[{BEYOND}].)(?<=[{far_letters}].))"
    return re.compile(f"{mark}{after}{mark}*", re.DOTALL)


@cache
def _letters_with_removable_marks() -> tuple[list[int], list[int]]:
    letters = frozenset(_of_categories("L"))
    return _near_and_far(code for code in _members(_WITH_REMOVABLE_MARKS) if code in letters)


@cache
def _maybe_long_run() -> re.Pattern[str]:
    return re.compile(f"[{class_of(_moved()[0])}{BEYOND}]{{{_LONG}}}")


@cache
def _long_run() -> re.Pattern[str]:
    return re.compile(f"{_either(*_moved())}{{{_LONG},}}")


@cache
def _moved() -> tuple[list[int], list[int]]:
    """Give what is put in order among the marks around it, itself or as what it is made of."""
    return _near_and_far(code for code in _of_categories("M") if all(map(unicodedata.combining, _parts(chr(code)))))


def _either(near: list[int], far: list[int]) -> str:
    """Write a pattern for one character of two lists; of those beyond, its block is asked first, which is fast."""
    blocks = {code >> 8 for code in far}
    coarse = class_of(code for block in blocks for code in range(block << 8, (block + 1) << 8))
    return f"(?:[{class_of(near)}]|(?=[{coarse}])[{class_of(far)}])"


def _cut(run: re.Match[str]) -> str:
    return "".join(map(_parts, run[0][:_KEPT_OF_LONG]))[:_KEPT_OF_LONG]


def _parts(character: str) -> str:
    return unicodedata.normalize("NFKD", character)


def _members(scripts: Iterable[str]) -> list[int]:
    """Give the code points of some scripts, rising."""
    any_of = "".join(f"\\p{{{script}}}" for script in scripts)
    runs = re2.compile(f"[{any_of}]+").finditer(_everything())
    return [code for run in runs for code in range(*run.span())]


@cache
def _everything() -> str:
    """Give every character at the index of its code point, up to the last that is asked about."""
    surrogates = range(0xD800, 0xE000)
    return "".join([" " if code in surrogates else chr(code) for code in range(_LAST + 1)])


@cache
def _categories() -> list[str]:
    return [category[0] for category in map(unicodedata.category, _everything())]


def _of_categories(kinds: str) -> list[int]:
    """Give the code points of general categories that start with one of these letters, rising."""
    return [code for code, kind in enumerate(_categories()) if kind in kinds]


def _near_and_far(codes: Iterable[int]) -> tuple[list[int], list[int]]:
    known = sorted(codes)
    return [code for code in known if code < 0x10000], [code for code in known if code >= 0x10000]  # noqa: PLR2004


def _is_near(text: str) -> bool:
    """Whether no character lies beyond the first plane; of all ways to ask, the fastest."""
    return len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text)
