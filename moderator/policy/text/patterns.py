"""Lists of patterns, in RE2's language and time: linear in the text, whatever text and pattern are."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import cache, cached_property
from itertools import islice
from typing import Final, NamedTuple

import re2

from moderator.policy.language.text_source import TextComparison
from moderator.policy.text.readings import Reading

MOST_PLACES: Final = 1_000
"""Places are counted up to here, so that a text full of them costs no more."""
FEWEST_MOST_PLACES: Final = 100
_LOOKED_AT_BYTES: Final = 100 << 20
"""Each find may look at all that is left of a text, so that of a long one fewer are counted."""

SET_BYTES: Final = 32 << 20
_CHECK_BYTES: Final = 1 << 20
_ALWAYS: Final = b""
_NO_MATCHES: Final = [0]
"""What a set answers where nothing but that is found."""
_Key = tuple[int, int]
"""The place of a list, and of a pattern in it."""
_NO_KEYS: Final[AbstractSet[_Key]] = frozenset()


class PatternList(NamedTuple):
    """One signal's patterns, as written, each of which `pattern_error` accepts."""

    patterns: Sequence[str]
    compare: TextComparison
    counts_places: bool


class PatternFinds(NamedTuple):
    """What one list finds: which of its patterns, and how many places in all."""

    patterns: AbstractSet[int]
    places: int


class Patterns:
    """Finds the patterns of several lists in the same text."""

    def __init__(self, lists: Sequence[PatternList], set_bytes: int = SET_BYTES) -> None:
        self._lists = lists
        self._nothing = [PatternFinds(frozenset(), 0) for _ in lists]
        self._folded = _PatternSet(lists, "folded", set_bytes)
        self._exact = _PatternSet(lists, "exact", set_bytes)

    def find(self, text: Reading) -> list[PatternFinds]:
        """Give what each list finds."""
        ways = text.ways if self._folded.has_patterns else ()
        folded = [each.encode() for way in ways for each in way.different_lines]
        exact = [text.sent.encode()] if self._exact.has_patterns else []
        found: set[_Key] = set()
        for content in folded:
            found |= self._folded.find(content)
        for content in exact:
            found |= self._exact.find(content)
        if not found:
            return self._nothing
        finds = []
        for place, each in enumerate(self._lists):
            patterns = {index for list_, index in found if list_ == place}
            texts = exact if each.compare == "exact" else folded
            places = self._count(each, sorted(patterns), texts) if each.counts_places and patterns else 0
            finds.append(PatternFinds(patterns, places))
        return finds

    def _count(self, patterns: PatternList, found: Sequence[int], texts: Sequence[bytes]) -> int:
        """Count places in the reading that has more of them."""
        longest = max(map(len, texts))
        most = min(MOST_PLACES, max(FEWEST_MOST_PLACES, _LOOKED_AT_BYTES // (longest + 1)))
        total = 0
        for index in found:
            one = compiled(patterns.patterns[index], patterns.compare)
            total += max(sum(1 for _ in islice(one.finditer(text), most - total)) for text in texts)
        return total


class _PatternSet:
    """All patterns of one comparison, tried in one pass.

    The set's automaton may run out of memory, and the binding then answers that nothing matches. So a pattern that
    always matches is in the set: where it is missing, each pattern is tried alone, which costs time and misses nothing.
    """

    def __init__(self, lists: Sequence[PatternList], compare: TextComparison, set_bytes: int) -> None:
        self._keys = [
            (place, index)
            for place, each in enumerate(lists)
            if each.compare == compare
            for index in range(len(each.patterns))
        ]
        self._patterns = [lists[place].patterns[index] for place, index in self._keys]
        self._compare = compare
        self._set = _compiled_set(self._patterns, compare, set_bytes) if self._patterns else None
        self.has_patterns = bool(self._patterns)

    def find(self, text: bytes) -> AbstractSet[_Key]:
        """Give list and place of every pattern that is found in UTF-8."""
        matches = self._set.Match(text) if self._set else None
        if matches == _NO_MATCHES:
            return _NO_KEYS
        if matches:
            return {self._keys[match - 1] for match in matches if match}
        return {key for key, pattern in zip(self._keys, self._alone, strict=True) if pattern.search(text)}

    @cached_property
    def _alone(self) -> list["re2._Regexp"]:
        return [compiled(pattern, self._compare) for pattern in self._patterns]


def compiled(pattern: str, compare: TextComparison, max_bytes: int | None = None) -> "re2._Regexp":
    """Compile a pattern; `re2` keeps those used last.

    Raises:
        re2.error: RE2 refuses it.
    """
    return re2.compile(pattern, _options(compare, max_bytes))


def checked(pattern: str, compare: TextComparison) -> "re2._Regexp":
    """Compile a pattern with less memory than it may take at work.

    Raises:
        re2.error: RE2 refuses it, or it needs more.
    """
    return compiled(pattern, compare, _CHECK_BYTES)


@cache
def _options(compare: TextComparison, max_bytes: int | None) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = compare == "exact"
    if max_bytes is not None:
        options.max_mem = max_bytes
    return options


def _compiled_set(patterns: Sequence[str], compare: TextComparison, set_bytes: int) -> re2.Set | None:
    """Compile all patterns into one; None where they are too much for one."""
    found = re2.Set.SearchSet(_options(compare, set_bytes))
    try:
        for pattern in (_ALWAYS, *patterns):
            found.Add(pattern)
        found.Compile()
    except re2.error:
        return None
    return found
