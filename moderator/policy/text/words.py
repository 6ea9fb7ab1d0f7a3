"""Lists of words: which entries occur in a text. Two automata find all entries of all lists in one pass each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

from moderator.policy.language.text_source import TextComparison, WordMatch
from moderator.policy.text.characters import continues_word
from moderator.policy.text.readings import Reading

_CHUNK = 65_536
"""Characters searched at once: what one search finds is bounded, however long the text is."""


class WordList(NamedTuple):
    """One signal's entries, as written."""

    entries: Sequence[str]
    match: WordMatch
    compare: TextComparison


class Target(NamedTuple):
    """What a found form says.

    Attributes:
        place: of the list among the lists.
        entry: its place in the list.
        needs_start, needs_end: it must start or end at the edge of a word.
    """

    place: int
    entry: int
    needs_start: bool
    needs_end: bool


class Words:
    """Finds the entries of several lists in the same text."""

    def __init__(self, lists: Sequence[WordList]) -> None:
        self._count = len(lists)
        folded = [(place, each) for place, each in enumerate(lists) if each.compare == "folded"]
        exact = [(place, each) for place, each in enumerate(lists) if each.compare == "exact"]
        self._plain = _Forms(_targets(folded, lambda entry: Reading(entry).plain.strip()))
        self._folded = _Forms(_targets(folded, lambda entry: Reading(entry).folded.strip()))
        self._exact = _Forms(_targets(exact, str.strip))

    def find(self, text: Reading) -> list[set[int]]:
        """Give of each list the places of the entries that occur."""
        found: list[set[int]] = [set() for _ in range(self._count)]
        if self._exact:
            self._exact.find(text.sent, found)
        if self._folded:
            # An entry that an ASCII text can hold is ASCII, and reads the same both ways.
            self._folded.find(text.folded, found)
            if not text.is_ascii and text.plain != text.folded:
                self._plain.find(text.plain, found)
        return found


class _Forms:
    """The forms of entries in one reading, and what each says where it is found."""

    def __init__(self, targets: Iterable[tuple[str, bool, Target]]) -> None:
        inside: dict[str, list[Target]] = defaultdict(list)
        self._whole: dict[str, list[Target]] = defaultdict(list)
        for form, is_whole, target in targets:
            (self._whole if is_whole else inside)[form].append(target)
        self._targets = tuple(map(tuple, inside.values()))
        self._longest = max(map(len, inside), default=0)
        # The fastest but for one, which takes twice the memory.
        self._automaton = (
            AhoCorasick(inside, store_patterns=False, implementation=Implementation.ContiguousNFA) if inside else None
        )

    def __bool__(self) -> bool:
        return self._automaton is not None or bool(self._whole)

    def find(self, text: str, found: list[set[int]]) -> None:
        """Add of each list the places of the entries that occur."""
        for target in self._whole.get(text.strip(), ()) if self._whole else ():
            found[target.place].add(target.entry)
        if self._automaton is None:
            return
        for at in range(0, max(1, len(text)), _CHUNK):
            chunk = text[at : at + _CHUNK + self._longest - 1] if len(text) > _CHUNK else text
            for form, start, end in self._automaton.find_matches_as_indexes(chunk, overlapping=True):
                for place, entry, needs_start, needs_end in self._targets[form]:
                    if entry in found[place]:
                        continue
                    if needs_start and at + start and continues_word(text[at + start - 1]):
                        continue
                    if needs_end and at + end < len(text) and continues_word(text[at + end]):
                        continue
                    found[place].add(entry)


def _targets(
    lists: Iterable[tuple[int, WordList]], form_of: Callable[[str], str]
) -> Iterator[tuple[str, bool, Target]]:
    """Yield the form of each entry, whether it must be the whole text, and what it says."""
    for place, (entries, match, _) in lists:
        for index, entry in enumerate(entries):
            form = form_of(entry)
            needs_start, needs_end = (match == "word" and continues_word(form[end]) for end in (0, -1))
            yield form, match == "whole", Target(place, index, needs_start, needs_end)
