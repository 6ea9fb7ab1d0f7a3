"""The readings of a text in which lists are searched. Each is idempotent; an ASCII text has but one.

*Shown* is what stays of a text as people see it: compatible characters are one, what shows nothing is removed. *Plain*
is that without differences of case. *Folded* is plain without marks on Latin, Greek and Cyrillic letters, and with an
ASCII letter for all that looks like one. Both of the last are searched: a Russian word in capitals is the same word in
the plain reading alone, and SCAM with a Cyrillic M is scam in the folded one alone.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple
from unicodedata import normalize

from moderator.ignorable import SEPARATORS, class_of
from moderator.policy.text.characters import (
    SEPARATING,
    without_hidden,
    without_long_mark_runs,
    without_removable_marks,
    without_stretches,
)
from moderator.policy.text.look_alikes import folded_to_ascii

READING = "text/2"
"""Names these readings in a decision; a change of what they give is a new name."""
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_UNSEEN_LINE_ENDS = re.compile(f"[{SEPARATORS}]+")
_OVERRIDDEN = re.compile("[\u202d\u202e]([^\u202c\r\n]*)")
"""What an override of the direction may show in the opposite order."""
_LINE_CONTROLS = re.compile(f"[{SEPARATING}]+")
_MORE_WAYS = re.compile(f"[{SEPARATING}{SEPARATORS}\u202d\u202e]")
_FEW_PIECES = 1_000
_CHARACTERS_A_PIECE = 32
"""Of more characters for each piece, reading by pieces is faster than reading all at once."""
_LONGEST_KEPT = 32
_LONG_TEXT = 65_536
_MOST_PHRASES = 4_096
_WORD = 4


class Reading:
    """One text in each form that a signal may need; a form is made when it is first asked for.

    Attributes:
        sent: the text as sent, without lone surrogates.
        is_ascii: so that its folded reading is its plain one.
    """

    __slots__ = ("_folded", "_forms", "_plain", "is_ascii", "sent")

    def __init__(self, sent: str) -> None:
        self.sent = sent
        self.is_ascii = sent.isascii()
        self._forms: _Forms | None = None
        self._plain: str | None = None
        self._folded: str | None = None

    @property
    def shown(self) -> str:
        """The text with its case and white space, NFKC, without what shows nothing."""
        return self._read().shown

    @property
    def plain_lines(self) -> str:
        """The plain reading with its white space as it is, for patterns."""
        return self._read().plain

    @property
    def folded_lines(self) -> str:
        """The folded reading with its white space as it is, for patterns."""
        return self._read().folded

    @property
    def different_lines(self) -> Sequence[str]:
        """Both of them, or one where they are equal."""
        forms = self._read()
        return (forms.plain,) if forms.plain == forms.folded else (forms.plain, forms.folded)

    @property
    def plain(self) -> str:
        """The plain reading; runs of white space are one space."""
        if self._plain is None:
            self._plain = _single_spaced(self._read().plain)
        return self._plain

    @property
    def folded(self) -> str:
        """The folded reading; runs of white space are one space."""
        if self.is_ascii:
            return self.plain
        if self._folded is None:
            self._folded = _single_spaced(self._read().folded)
        return self._folded

    @property
    def ways(self) -> Sequence["Reading"]:
        """This text; where it has any, with and without line ends that may not show; and with overrides followed."""
        if not _MORE_WAYS.search(self.sent):
            return (self,)
        apart = _LINE_CONTROLS.sub(" ", self.sent)
        joined = _UNSEEN_LINE_ENDS.sub("", self.sent)
        turned = _OVERRIDDEN.sub(lambda found: f" {found[1][::-1]} ", joined)
        return (self, *map(Reading, {apart, joined, turned} - {self.sent}))

    def _read(self) -> "_Forms":
        if self._forms is None:
            seen = without_hidden(self.sent)
            if self.is_ascii:
                lower = seen.lower()
                self._forms = _Forms(seen, lower, lower)
            else:
                self._forms = _forms_by_pieces(_of_bounded_length(without_stretches(seen)))
        return self._forms


def plain_form(entry: str) -> str:
    """Give the plain reading of a list's entry, without white space at its ends."""
    return Reading(entry).plain.strip()


def folded_form(entry: str) -> str:
    """Give the folded reading of a list's entry, without white space at its ends."""
    return Reading(entry).folded.strip()


class _Forms(NamedTuple):
    shown: str
    plain: str
    folded: str


def _forms_by_pieces(text: str) -> _Forms:
    """Read what is beyond ASCII, each run with the character before it, on which its marks are; the rest is ASCII.

    Nothing in ASCII joins what is before it, so this is what the whole text reads.
    """
    spans = [run.span() for run in _BEYOND_ASCII.finditer(text)]
    if len(spans) > max(_FEW_PIECES, len(text) // _CHARACTERS_A_PIECE):
        return _forms(text)
    between: list[str] = []
    pieces: list[str] = []
    at = 0
    for first, end in spans:
        start = max(at, first - 1)
        between.append(text[at:start])
        pieces.append(text[start:end])
        at = end
    different = set(pieces)
    if len(different) > _FEW_PIECES:
        return _forms(text)
    forms = {piece: (_kept_forms if len(piece) <= _LONGEST_KEPT else _forms)(piece) for piece in different}
    rest = text[at:]
    lower = [each.lower() for each in between]
    shown = _joined(between, [forms[piece].shown for piece in pieces], rest)
    plain = _joined(lower, [forms[piece].plain for piece in pieces], rest.lower())
    return _Forms(shown, plain, _joined(lower, [forms[piece].folded for piece in pieces], rest.lower()))


def _joined(between: list[str], pieces: list[str], rest: str) -> str:
    return "".join(chain.from_iterable(zip(between, pieces, strict=True))) + rest


def _forms(text: str) -> _Forms:
    seen = normalize("NFKC", without_long_mark_runs(text))
    plain = seen.casefold()
    if seen.isascii():
        return _Forms(seen, plain, plain)
    folded = folded_to_ascii(normalize("NFD", seen))
    if not folded.isascii():
        folded = normalize("NFKC", without_removable_marks(normalize("NFD", folded)))
    return _Forms(seen, normalize("NFKC", plain), folded)


_kept_forms = lru_cache(maxsize=16_384)(_forms)
"""Words come again and again, and most are short."""


def _of_bounded_length(text: str) -> str:
    """Keep a text from growing many times: late in a long one, characters that stand for whole words are a space."""
    if len(text) < _LONG_TEXT:
        return text
    words = _standing_for_words()
    expanded, count = words.subn(lambda found: normalize("NFKC", found[0]), text, count=_MOST_PHRASES)
    return words.sub(" ", expanded) if count == _MOST_PHRASES else expanded


@cache
def _standing_for_words() -> re.Pattern[str]:
    return re.compile(f"[{class_of(code for code in range(0x80, 0x10000) if len(_compatible(code)) >= _WORD)}]")


def _compatible(code: int) -> str:
    return normalize("NFKC", chr(code))


def _single_spaced(text: str) -> str:
    """Write one space for each run of white space, at the ends too."""
    # Of all white space, the space alone is printable.
    if "  " not in text and text.isprintable():
        return text
    words = " ".join(text.split())
    if not words:
        return " " if text else ""
    return f"{' ' if text[0].isspace() else ''}{words}{' ' if text[-1].isspace() else ''}"
