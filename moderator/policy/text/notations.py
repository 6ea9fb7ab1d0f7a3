r"""Entries of lists in another notation: quotes, commas, bullets, comments behind an entry, patterns among words.

A word is searched as it is written, so that such an entry is hardly ever found. A sign that is meant is written with a
backslash before it: `a\$\$hole`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from moderator.policy.language.text_source import TextComparison

Objection = tuple[str, str]
"""What is wrong with an entry, and what to do."""

_QUOTES: Final = ('""', "''", "``", "“”", "„“", "\u2018\u2019", "«»")
_BULLETS: Final = "-*+•\u2013"
_MEANT: Final = re.compile(r"\\([*?^$,;|\[\]{}#/<.+\-•\u2013\"'`“”„\u2018\u2019«»\uff0c\u3001])")
_HIDDEN: Final = "\0"
"""Stands for a sign that is meant; no entry has one."""
_QUOTED: Final = re.compile(
    "|".join(f"{re.escape(first)}[^{first}{last}]+{re.escape(last)}" for first, last in _QUOTES)
)
_BULLET: Final = re.compile(rf"([{re.escape(_BULLETS)}]|\d+\.)\s+\S.*")
_COMMENT: Final = re.compile(r"//|/\*|<!--|(?:--|;)\s")
_BEHIND: Final = re.compile(r"(?P<entry>.*?\S)\s+(?P<sign>#|//)(?:\s.*)?")
_JOINING: Final = re.compile(
    r"(?<!\d)[,\uff0c\u3001]|[,\uff0c\u3001](?!\d)|\w[\"']?\s*(;)\s*(?=[\w\"']|$)|[\w)\"']\s*(\|)\s*(?=[\w(\"'])"
)
_JOINED_WORDS: Final = re.compile(r"\w+\s*([,;])\s*\w+(?:\s*[,;]\s*\w+)*[,;]?")
_SLASHED: Final = re.compile(r"/(?P<pattern>.+)/(?P<flags>[a-z]*)")
_OF_PATTERNS: Final = re.compile(
    r"[*?^$]|\[(?=[^\]]+\]\w)|(?<=\w)\[(?=[^\]]+\])|\{(?=\d+(?:,\d*)?\})|\.\+|^\\b|\\b$|\\[dwsDWSB](?![A-Za-z])"
)


def meant(entry: str) -> str:
    """Give a word without the backslashes before signs that would else be warned of."""
    return _MEANT.sub(r"\1", entry) if "\\" in entry else entry


def warnings_of_word(entry: str) -> Iterator[Objection]:
    """Yield what in a word, as it is written, is of another notation."""
    if entry.replace(" ", "").isalnum():
        return
    plain = _MEANT.sub(_HIDDEN, entry)
    yield from _of_the_whole(entry, plain, _itself)
    if _SLASHED.fullmatch(plain):
        yield "/ is taken literally in a words list", f"write {_itself('/')}, or put it in a patterns list"
    elif found := _OF_PATTERNS.search(plain):
        yield f"{found[0]} is taken literally in a words list", _remedy_of(found[0])
    if joining := _JOINING.search(plain):
        yield _one_text(joining[1] or joining[2] or joining[0])
    if "\t" in entry:
        yield "the entry has a tab, which is read as a space", "remove what follows it, or write a space"


def warnings_of_pattern(pattern: str, compare: TextComparison) -> Iterator[Objection]:
    """Yield what in a pattern is of another notation."""
    plain = re.sub(r"\\.", _HIDDEN * 2, pattern)
    yield from _of_the_whole(pattern, plain, _itself_in_pattern)
    if joined := _JOINED_WORDS.fullmatch(pattern):
        yield _one_text(joined[1])
    elif slashed := _SLASHED.fullmatch(plain):
        inside = pattern[slashed.start("pattern") : slashed.end("pattern")]
        better = f"{_flags(slashed['flags'], compare)}{inside}"
        yield "the entry is searched with its slashes", f"write {better}, or {_itself('/')}"


def _of_the_whole(entry: str, plain: str, itself: Callable[[str], str]) -> Iterator[Objection]:
    """Yield what stands around an entry; `plain` lacks the signs that are meant."""
    unquoted = plain.rstrip(",;")
    if _QUOTED.fullmatch(unquoted):
        inside = entry.rstrip(",;")[1:-1]
        yield "the entry is searched with its quotes", f"write {inside}, or {itself(plain[0])}"
    elif comment := _COMMENT.match(plain):
        sign = comment[0].strip()
        yield f"{sign} begins no comment", f"begin the line with #, or write {itself(sign[0])}"
    elif bullet := _BULLET.fullmatch(plain):
        sign = bullet[1][-1]
        yield f"the entry is searched with its {bullet[1]}", f"remove it, or write {itself(sign)}"
    elif behind := _BEHIND.fullmatch(plain):
        sign = behind["sign"]
        message = f"the entry is searched with the {sign} and what follows: a comment stands on a line of its own"
        yield message, f"remove it, or write {itself(sign[0])}"


def _one_text(sign: str) -> Objection:
    names = {";": "semicolons", "|": "bars"}
    message = f"the entry is one text, and is searched with its {names.get(sign, 'commas')}"
    return message, f"make each word an entry, or write {_itself(sign)}"


def _flags(letters: str, compare: TextComparison) -> str:
    """Write flags as RE2 does; without `i` where no pattern regards case."""
    kept = "".join(each for each in "ims" if each in letters and (each != "i" or compare == "exact"))
    return f"(?{kept})" if kept else ""


def _remedy_of(sign: str) -> str:
    if sign.startswith("\\"):
        return "put it in a patterns list"
    return f"write {_itself(sign[-1])}, or put it in a patterns list"


def _itself(sign: str) -> str:
    return rf"\{sign} for the character itself"


def _itself_in_pattern(sign: str) -> str:
    return _itself(sign) if sign.isascii() else f"[{sign}] for the character itself"
