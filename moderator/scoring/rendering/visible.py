"""What a reader sees of a text: invisible characters and piles of marks are removed before a model reads it.

Padding that nobody sees could otherwise push a threat out of what the model keeps, or cut its words in two. Serving,
training and calibration use this one function. Text without any of these characters stays as it is. There is no
normalisation, no case folding and no mapping of look-alikes: those would change ordinary text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from operator import itemgetter, length_hint
from typing import Final, NamedTuple

from moderator.ignorable import BLANKS, IGNORABLE, INVISIBLE, SEPARATORS, class_of, complement_class_of

_ASCII_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r")
_BLACK_FLAG: Final = "\U0001f3f4"
_FLAG: Final = re.compile(f"({_BLACK_FLAG}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}}\U000e007f)")
"""England's flag and its like: a black flag, letters that only mark it, and the end mark."""
_JOINERS: Final = "\u200c\u200d"
_PLAIN_SELECTORS: Final = "\ufe00-\ufe0f"
_IDEOGRAPHIC_SELECTORS: Final = "\U000e0100-\U000e01ef"
_MONGOLIAN_SELECTORS: Final = "\u180b-\u180f"
_SELECTORS: Final = _PLAIN_SELECTORS + _IDEOGRAPHIC_SELECTORS + _MONGOLIAN_SELECTORS
_BLANKS: Final = dict.fromkeys(BLANKS, " ")
_SHAPING_CHARACTERS: Final = re.compile(f"[{_JOINERS}{_SELECTORS}]")
_INVISIBLE: Final = class_of(code for code in INVISIBLE if not _SHAPING_CHARACTERS.match(chr(code)))
_BLANK: Final = re.compile(f"[{class_of(_BLANKS)}]")
_NO_LINE_END: Final = r"[^\S\r\n]"
_BLANK_RUN: Final = re.compile(rf"{_NO_LINE_END}{{2,}}")
_LINE_END: Final = r"(?:\r\n|[\r\n])"
_LINE_ENDS: Final = re.compile(rf"({_LINE_END}){_NO_LINE_END}?({_LINE_END})(?:{_NO_LINE_END}?{_LINE_END})*")
_SEPARATOR: Final = re.compile(f"([{SEPARATORS}]+)")
_OVERRIDDEN: Final = re.compile("([\u202d\u202e])([^\u202c\r\n\x85\u2029]*)\u202c?")
"""From an override of the direction to its end, or that of the line."""
_TURNED: Final = {"\u202d": ("R", "AL"), "\u202e": ("L",)}
"""Which letters each override shows in the opposite order."""
_PLAIN_BLANKS: Final = {
    **_BLANKS,
    **{code: " " for code in range(0x3001) if chr(code).isspace() and chr(code) not in "\r\n"},
}
"""What a run of blanks may be written as one blank for."""
_INVISIBLES: Final = re.compile(f"[{_INVISIBLE}][{_INVISIBLE}]*")
_SHAPING: Final = re.compile(f"([{_JOINERS}{_SELECTORS}][{_JOINERS}{_SELECTORS}]*)")
_SELECTORS_AND_JOINER: Final = re.compile(f"([{_SELECTORS}]*)([{_JOINERS}]?)")
"""Of a run; a selector after a joiner selects nothing, and a run joins but once."""
_JOINED: Final = frozenset(("Lo", "Mn", "Mc", "So", "Sk"))
_JOINED_AFTER: Final = frozenset(("Lo", "Mn", "Mc", "So", "Sm"))
_KEYCAPS: Final = frozenset("0123456789#*")

_OVERLAYS: Final = frozenset(map(chr, (*range(0x332, 0x339), *range(0x20D0, 0x20E3), *range(0x20E4, 0x20F1))))
_ALPHABETS: Final = re.compile(r"\b(LATIN|GREEK|CYRILLIC)\b")
_MOST_ON_ALPHABETS: Final = 3
_MOST_ON_OTHER_LETTERS: Final = 8
_VIRAMA: Final = 9
_LAST_WITH_MARKS: Final = 0x1FFFF
"""No combining mark lies beyond but the selectors of plane 14."""

_KNOWN_RUNS: Final = 2**14
"""A text repeats few runs, and often: so many results are kept while it is read."""
_FIRST: Final = itemgetter(slice(1))
_LAST: Final = itemgetter(slice(-1, None))


class Visible(NamedTuple):
    """A text as a reader sees it.

    Attributes:
        text: without white space at its ends.
        removed: how many characters were removed; replaced ones and shortened white space do not count.
    """

    text: str
    removed: int


def visible(text: str) -> Visible:
    """Remove what nobody sees.

    Args:
        text: any text without lone surrogates.
    """
    whole = kept = _OVERRIDDEN.sub(_both_ways, text)
    if text.isascii():
        if len(text.encode().translate(None, _ASCII_CONTROLS)) < len(text):
            kept = _INVISIBLES.sub("", text)
    elif _suspects().search(text):
        kept = _flags_and_visible(whole.translate(_BLANKS) if _BLANK.search(whole) else whole)
        kept = _shaping_nothing().sub("", kept)
        kept = _with_runs(_SHAPING, _with_runs(_piles(), kept, _without_excess), _shaped)
        kept = _with_runs(_SEPARATOR, kept, _separated)
    return Visible(_in_short(kept).strip(), len(whole) - len(kept))


def positions(text: str, seen: str, wanted: list[int]) -> list[int]:
    """Find where in the text as sent the characters of its visible form stand.

    Args:
        text: as sent.
        seen: `visible(text).text`.
        wanted: rising indexes in `seen`; its length stands for the end of the text.

    Returns:
        Indexes in `text`, one for each of `wanted`; what an override shows in another order is at its end.
    """
    if (start := text.find(seen)) >= 0:
        return [start + index if index < len(seen) else len(text) for index in wanted]
    whole, places = _places(text)
    shown, seen = whole.translate(_PLAIN_BLANKS), seen.translate(_PLAIN_BLANKS)
    rest = iter(shown)
    found: list[int] = []
    read = 0
    for index in wanted:
        _skip(rest, seen[read : index + 1])
        read = max(read, index + 1)
        found.append(places[len(shown) - length_hint(rest) - 1 if index < len(seen) else -1])
    return found


def _places(text: str) -> tuple[str, Sequence[int]]:
    """Give a text with what its overrides show, and where each character of it stands in the text, and its end."""
    if not _OVERRIDDEN.search(text):
        return text, range(len(text) + 1)
    parts: list[str] = []
    places: list[int] = []
    read = 0
    for span in _OVERRIDDEN.finditer(text):
        both = _both_ways(span)
        parts += [text[read : span.start()], both]
        places += [*range(read, span.end()), *[span.end() - 1] * (len(both) - len(span[0]))]
        read = span.end()
    return "".join([*parts, text[read:]]), [*places, *range(read, len(text) + 1)]


def _both_ways(span: re.Match[str]) -> str:
    """Put behind letters that an override turns around what it shows: programs that know no overrides show them."""
    is_turned = any(unicodedata.bidirectional(each) in _TURNED[span[1]] for each in span[2])
    return f"{span[0]} {span[2][::-1]} " if is_turned else span[0]


def _skip(rest: Iterator[str], characters: str) -> None:
    """Move behind these characters; others may lie between them."""
    all(character in rest for character in characters)


@cache
def _of_category(*categories: str) -> frozenset[int]:
    """Give the code points of some categories of marks; the selectors are none."""
    selector = re.compile(f"[{_SELECTORS}]")
    return frozenset(
        code
        for code in range(0x300, _LAST_WITH_MARKS)
        if unicodedata.category(chr(code)) in categories and not selector.match(chr(code))
    )


@cache
def _suspects() -> re.Pattern[str]:
    """Match a character that may have to be removed or replaced. One class: it is searched in every text."""
    suspects = INVISIBLE | BLANKS | _of_category("Mn", "Me") | {*map(ord, SEPARATORS)}
    return re.compile(f"[^{complement_class_of(suspects)}]")


def _in_short(text: str) -> str:
    """Shorten each run of blanks to one, and each run of line ends to two without blanks between them.

    A page shows no more of them. The no-break space at the end of a run stays, as it may carry a mark.
    """
    return _LINE_ENDS.sub(r"\1\2", _BLANK_RUN.sub(_one_blank, text))


def _one_blank(run: re.Match[str]) -> str:
    return "\u00a0" if run[0][-1] == "\u00a0" else " "


def _flags_and_visible(text: str) -> str:
    if not _INVISIBLES.search(text):
        return text
    parts = _FLAG.split(text) if _BLACK_FLAG in text else [text]
    parts[::2] = [_INVISIBLES.sub("", part) for part in parts[::2]]
    return "".join(parts)


def _with_runs(pattern: re.Pattern[str], text: str, kept: Callable[[str, str, str], str]) -> str:
    """Replace each run by what is kept of it.

    The pattern matches whole runs and has one group, around all of it. What is kept depends on the character before a
    run, the run, and the character after it; at an end of the text there is none.
    """
    parts = pattern.split(text)
    others = parts[::2]
    parts[1::2] = map(lru_cache(_KNOWN_RUNS)(kept), map(_LAST, others), parts[1::2], map(_FIRST, others[1:]))
    return "".join(parts)


@cache
def _piles() -> re.Pattern[str]:
    """Match a run of marks and of what shapes or spaces them, except for a single mark that a letter may have.

    To demand a mark here would take time that grows with the square of a run without one.
    """
    others = complement_class_of(_of_category("Mn", "Me", "Mc") | set(map(ord, _JOINERS)) | _selectors())
    overlays = "".join(sorted(_OVERLAYS))
    return re.compile(rf"([^{others}](?:[^{others}]+|(?<=[{overlays}])|(?<=\s.)))")


@cache
def _shaping_nothing() -> re.Pattern[str]:
    """Match a run of joiners and selectors after a character that none of them can shape, such as a Latin letter.

    That is a character of the first plane that joins with none before a joiner, and most of ASCII before a selector. It
    is no mark, so it stays. All other runs are decided on one by one, which takes ten times as long.
    """
    first_plane = range(0x10000)
    others = {code for code in first_plane if _may_join(chr(code)) or _SHAPING_CHARACTERS.match(chr(code))}
    others |= _of_category("Mn", "Me", "Mc")
    unselected = {code for code in range(0x80) if chr(code) not in _KEYCAPS} - others
    return re.compile(
        f"(?:[{_JOINERS}](?<=[{class_of(set(first_plane) - others)}].)|[{_SELECTORS}](?<=[{class_of(unselected)}].))"
        f"[{_JOINERS}{_SELECTORS}]*",
        re.DOTALL,
    )


def _selectors() -> set[int]:
    return {code for code in IGNORABLE if re.match(f"[{_SELECTORS}]", chr(code))}


@cache
def _mark() -> re.Pattern[str]:
    return re.compile(f"[{class_of(_of_category('Mn', 'Me'))}]")


def _without_excess(base: str, run: str, _after: str) -> str:
    """Keep as many marks as writing needs."""
    is_single = len(run) == 1 and not base.isspace() and run not in _OVERLAYS
    if is_single or not _mark().search(run):
        return run
    if _is_of_alphabet(base):
        marks = _mark().findall(run)
        is_written = len(marks) <= _MOST_ON_ALPHABETS
        return _mark().sub(lambda mark: mark[0] if is_written and mark[0] not in _OVERLAYS else "", run)
    left = _most_marks(base)
    kept: list[str] = []
    for each in run:
        if _mark().match(each):
            left -= 1
            if left < 0:
                continue
        kept.append(each)
    return "".join(kept)


@lru_cache(_KNOWN_RUNS)
def _is_of_alphabet(base: str) -> bool:
    return base.isalpha() and _ALPHABETS.search(unicodedata.name(base, "")) is not None


def _most_marks(base: str) -> int:
    if base.isspace() and base != "\u00a0":
        return 0
    return _MOST_ON_OTHER_LETTERS if base.isalpha() else 1


def _shaped(before: str, run: str, after: str) -> str:
    """Keep of joiners and selectors between two characters what can shape one of them."""
    parts = _SELECTORS_AND_JOINER.match(run)
    assert parts is not None
    selectors, joiner = parts.groups()
    selector = next((each for each in selectors if _selects(each, before)), "")
    return selector + (joiner if joiner and _joins(before, after) else "")


def _selects(selector: str, before: str) -> bool:
    """Whether a variation selector can change the character before it."""
    if not before or before.isspace():
        return False
    if "\u180b" <= selector <= "\u180f":
        return "\u1820" <= before <= "\u18aa"
    if selector >= "\U000e0100":
        return unicodedata.category(before) == "Lo" and before >= "\u2e80"
    return not before.isascii() or before in _KEYCAPS


def _joins(before: str, after: str) -> bool:
    """Whether a joiner can shape what stands at its sides."""
    if not before or not _may_join(before):
        return False
    is_virama = unicodedata.combining(before) == _VIRAMA
    return is_virama or (bool(after) and unicodedata.category(after) in _JOINED_AFTER)


def _separated(before: str, run: str, after: str) -> str:
    """Remove separators from inside a word or number; elsewhere one stands for a blank."""
    is_inside = before and after and unicodedata.category(before)[0] in "LMN" and unicodedata.category(after)[0] in "LN"
    return "" if is_inside else " " * len(run)


def _may_join(before: str) -> bool:
    return unicodedata.combining(before) == _VIRAMA or unicodedata.category(before) in _JOINED
