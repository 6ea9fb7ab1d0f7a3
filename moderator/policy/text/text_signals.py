"""Text signals compiled for the hot path: an event's texts -> a number for each signal, and which lines were found."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, Self
from unicodedata import unidata_version

import orjson

from moderator.events import ChatEvent, Found, TextReference
from moderator.policy.language.fields import METADATA
from moderator.policy.language.text_source import MESSAGE, USER, EntryList, TextKind, TextSource
from moderator.policy.text.links import NO_LINKS, Domains, host_of_entry, links_in
from moderator.policy.text.look_alikes import fingerprint
from moderator.policy.text.measures import capitals, length
from moderator.policy.text.patterns import PatternList, Patterns
from moderator.policy.text.readings import READING, Reading
from moderator.policy.text.words import WordList, Words

MOST_LINES: Final = 20
"""Lines of one list that a decision names: the first ones."""
_DIGITS: Final = 12
_OF_EVERY_KIND: Final = "e\u0301\u0416 \U0001d4e2\U0001d167.\u4f8b\u3048.jp " * 1_500
"""Characters of the first plane and beyond, so many that they are read at once."""


class TextFindings(NamedTuple):
    """What the text signals read from one event.

    Attributes:
        numbers: by signal, in the order of the signals; None where the event does not have the text.
        found: of each list that was found in, by signal, the first lines.
    """

    numbers: dict[str, float | None]
    found: list[Found]


class TextSignals:
    """The text signals of one policy folder.

    Args:
        sources: by the signal's name, in the order wanted; every entry is one that `entry_error` accepts.

    Attributes:
        reference: what a decision says of how its numbers were read.
    """

    def __init__(self, sources: Mapping[str, TextSource]) -> None:
        by_text: dict[str, dict[str, TextSource]] = defaultdict(dict)
        for name, source in sources.items():
            by_text[source.of][name] = source
        self._sources = dict(sources)
        self._finders = [(of, _Finder(members)) for of, members in by_text.items()]
        self._absent: dict[str, float | None] = dict.fromkeys(sources)
        self.reference: TextReference = {
            "reading": READING,
            "unicode": unidata_version,
            "signals": {name: identity_of(source) for name, source in sources.items()},
        }

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, TextSource]]]:
        """Be sent to another process as what it is made from: automata cannot be."""
        return type(self), (self._sources,)

    def warm_up(self) -> None:
        """Make the tables of characters, which are else made when they are first asked for and would hold up an event.

        Checking policies needs none of them, and is quicker without.
        """
        for _, finder in self._finders:
            finder.read(Reading(_OF_EVERY_KIND), self._absent.copy(), {})

    def measure(self, event: ChatEvent) -> tuple[ChatEvent, list[Found]]:
        """Give the event with its text signals, and the lines that were found; never fails on content."""
        numbers, found = self.read(event.conversation[-1].content, event.user, event.metadata)
        return event._replace(text_scores=numbers), found

    def read(self, message: str, user: str | None, metadata: Mapping[str, object] | None) -> TextFindings:
        """Read every signal from an event's texts; never fails on content.

        Args:
            message: the judged one, all of it, without lone surrogates.
            user: the event's.
            metadata: the event's; what is no text, or is empty, makes its signals missing.
        """
        numbers = self._absent.copy()
        lines: dict[str, Found] = {}
        for of, finder in self._finders:
            text = message if of == MESSAGE else _text_of(of, user, metadata)
            if text is not None:
                finder.read(Reading(text), numbers, lines)
        return TextFindings(numbers, [lines[name] for name in numbers if name in lines] if lines else [])


def identity_of(source: TextSource) -> str:
    """Give 12 hex digits: equal ones say that a recorded number of the signal is what it would be now."""
    entries = source.entries.digest if source.entries else None
    how = [source.kind, source.of, source.match, source.compare, source.counts_places, entries]
    content = orjson.dumps([*how, READING, unidata_version, fingerprint()])
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _text_of(of: str, user: str | None, metadata: Mapping[str, object] | None) -> str | None:
    value = user if of == USER else (metadata or {}).get(of.removeprefix(METADATA))
    return value if isinstance(value, str) and value else None


class _Finder:
    """The signals that are read from one text."""

    def __init__(self, sources: Mapping[str, TextSource]) -> None:
        measures = {"capitals": capitals, "length": length}
        words = _listed(sources, "words")
        patterns = _listed(sources, "patterns")
        links = _listed(sources, "links")
        self._words = Words([WordList(lines.entries, source.match, source.compare) for _, source, lines in words])
        self._patterns = Patterns(
            [PatternList(lines.entries, source.compare, source.counts_places) for _, source, lines in patterns]
        )
        self._domains = [Domains([host_of_entry(each) or "" for each in lines.entries]) for _, _, lines in links]
        self._word_lists = [(name, lines) for name, _, lines in words]
        self._pattern_lists = [(name, lines, source.counts_places) for name, source, lines in patterns]
        self._domain_lists = [(name, lines) for name, _, lines in links]
        self._any_links = [name for name, each in sources.items() if each.kind == "links" and each.entries is None]
        self._reads_links = bool(self._any_links or links)
        # most texts have none, and what is left is then to add their measures
        self._unfound = {name: 0.0 for name, each in sources.items() if each.kind not in measures}
        self._measures = [(name, measures[each.kind]) for name, each in sources.items() if each.kind in measures]

    def read(self, text: Reading, numbers: dict[str, float | None], found: dict[str, Found]) -> None:
        """Add the number of each signal, and the lines of each list that is found in."""
        numbers.update(self._unfound)
        if self._word_lists and any(places_of_each := self._words.find(text)):
            for (name, lines), places in zip(self._word_lists, places_of_each, strict=True):
                numbers[name] = float(len(places))
                _note(name, lines, places, found)
        if self._pattern_lists and (finds_of_each := self._patterns.find(text)):
            for (name, lines, counts_places), finds in zip(self._pattern_lists, finds_of_each, strict=True):
                numbers[name] = float(finds.places if counts_places else len(finds.patterns))
                _note(name, lines, finds.patterns, found)
        if self._reads_links and (links := links_in(text.sent)) is not NO_LINKS:
            numbers.update(dict.fromkeys(self._any_links, float(len(links.linked))))
            for (name, lines), domains in zip(self._domain_lists, self._domains, strict=True):
                places = domains.find(links)
                numbers[name] = float(len(places))
                _note(name, lines, places, found)
        for name, measure in self._measures:
            numbers[name] = measure(text)


def _listed(sources: Mapping[str, TextSource], kind: TextKind) -> Sequence[tuple[str, TextSource, EntryList]]:
    return [(name, each, each.entries) for name, each in sources.items() if each.kind == kind and each.entries]


def _note(name: str, entries: EntryList, places: AbstractSet[int], found: dict[str, Found]) -> None:
    if places:
        lines = [entries.lines[place] for place in sorted(places)[:MOST_LINES]]
        found[name] = {"signal": name, "list": entries.name, "lines": lines}
