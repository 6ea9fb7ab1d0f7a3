"""Lists of words: which entries occur in a text. An automaton finds all entries of all lists in one pass.

Where entries must start and end at the edges of words, these edges are marked in the text and in the entries alike: so
the automaton finds nothing that does not count, however often the letters of an entry stand inside of words.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

from moderator.policy.language.text_source import TextComparison, WordMatch
from moderator.policy.text.characters import words_in
from moderator.policy.text.readings import Reading, folded_form, plain_form

_CHUNK: Final = 65_536
"""Characters searched at once: what one search finds is bounded, however long the text is."""
_EDGE: Final = "\0"


class WordList(NamedTuple):
    """One signal's entries, as written."""

    entries: Sequence[str]
    match: WordMatch
    compare: TextComparison


class Words:
    """Finds the entries of several lists in the same text."""

    def __init__(self, lists: Sequence[WordList]) -> None:
        self._count = len(lists)
        folded = [(place, each) for place, each in enumerate(lists) if each.compare == "folded"]
        exact = [(place, each) for place, each in enumerate(lists) if each.compare == "exact"]
        self._folded = _Forms(folded, folded_form)
        self._has_folded, self._has_exact = bool(folded), bool(exact)
        are_ascii = all(entry.isascii() for _, each in folded for entry in each.entries)
        self._plain = self._folded if are_ascii else _Forms(folded, plain_form)
        self._exact = _Forms(exact, str.strip)

    def find(self, text: Reading) -> list[set[int]]:
        """Give of each list the places of the entries that occur."""
        found: list[set[int]] = [set() for _ in range(self._count)]
        if self._has_exact:
            self._exact.find(text.sent, found)
        for way in text.ways if self._has_folded else ():
            # An entry that an ASCII text can hold is ASCII, and reads the same both ways.
            self._folded.find(way.folded, found)
            if not way.is_ascii and way.plain != way.folded:
                self._plain.find(way.plain, found)
        return found


class _Forms:
    """The forms of entries in one reading, each with its lists and its places in them."""

    def __init__(self, lists: Sequence[tuple[int, WordList]], form_of: Callable[[str], str]) -> None:
        self._whole = _targets(lists, "whole", form_of)
        parts = _targets(lists, "part", form_of)
        self._inside = _Automaton(parts) if parts else None
        words = _targets(lists, "word", form_of)
        self._at_edges = _Automaton({_with_edges(form): places for form, places in words.items()})
        self._anywhere = _Presence(words) if words else None

    def find(self, text: str, found: list[set[int]]) -> None:
        """Add of each list the places of the entries that occur."""
        if self._whole:
            for place, entry in self._whole.get(text.strip(), ()):
                found[place].add(entry)
        if self._inside:
            self._inside.find(text, found)
        # Most texts have none, inside of words or not, and marking the edges takes longer than to see that.
        if self._anywhere and self._anywhere.occurs_in(text.replace(_EDGE, "")):
            self._at_edges.find(_with_edges(text), found)


class _Automaton:
    """Finds forms, overlapping ones too."""

    def __init__(self, targets: dict[str, list[tuple[int, int]]]) -> None:
        self._targets = tuple(map(tuple, targets.values()))
        self._longest = max(map(len, targets), default=0)
        # The fastest except for one, which takes twice the memory.
        self._automaton = AhoCorasick(targets, store_patterns=False, implementation=Implementation.ContiguousNFA)

    def find(self, text: str, found: list[set[int]]) -> None:
        """Add of each list the places of the entries whose forms occur."""
        for chunk in self._chunks(text):
            for form, _, _ in self._automaton.find_matches_as_indexes(chunk, overlapping=True):
                for place, entry in self._targets[form]:
                    found[place].add(entry)

    def _chunks(self, text: str) -> Iterable[str]:
        """Cut a long text into pieces that overlap by the longest form."""
        if len(text) <= _CHUNK:
            return (text,)
        return (text[at : at + _CHUNK + self._longest - 1] for at in range(0, len(text), _CHUNK))


class _Presence:
    """Tells whether any of some forms occurs."""

    def __init__(self, forms: Iterable[str]) -> None:
        encoded = [form.encode() for form in forms]
        self._longest = max(map(len, encoded), default=0)
        # one search takes a third of the time of `AhoCorasick`, which lets go of the interpreter's lock meanwhile
        self._automaton = BytesAhoCorasick(encoded, implementation=Implementation.ContiguousNFA)

    def occurs_in(self, text: str) -> bool:
        """Whether any form occurs."""
        content = text.encode()
        if len(content) <= _CHUNK:
            return bool(self._automaton.find_matches_as_indexes(content))
        return any(
            self._automaton.find_matches_as_indexes(content[at : at + _CHUNK + self._longest - 1])
            for at in range(0, len(content), _CHUNK)
        )


def _targets(
    lists: Iterable[tuple[int, WordList]], match: WordMatch, form_of: Callable[[str], str]
) -> dict[str, list[tuple[int, int]]]:
    """Give the forms of the entries that are matched so, each with its lists and its places in them.

    An entry of which nothing can be seen would be found in every text.
    """
    targets: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, entries in lists:
        for index, entry in enumerate(entries.entries if entries.match == match else ()):
            if form := form_of(entry):
                targets[form].append((place, index))
    return targets


def _with_edges(text: str) -> str:
    """Mark where words start and end: letters, marks and digits, but those of scripts written without spaces."""
    return _EDGE.join(words_in(text).split(text))
