"""What a text signal is read from: `from_text` of signals.yaml with its list of entries."""

from dataclasses import dataclass
from typing import Literal

TextKind = Literal["words", "patterns", "links", "capitals", "length"]
WordMatch = Literal["word", "part", "whole"]
TextComparison = Literal["folded", "exact"]

IN_PLACE = "signals.yaml"
"""What a list is called that stands in signals.yaml itself."""
MESSAGE = "message"
USER = "user"


@dataclass(frozen=True, slots=True)
class EntryList:
    """A list as it is written.

    Attributes:
        name: `lists/scam.txt`; `IN_PLACE` for a list in signals.yaml.
        entries: without comments, blank lines and the blanks at their ends; at least one.
        lines: of each entry its line in the file, or its place in the list in place, from 1; rising.
        digest: 64 hex digits of SHA-256 over the sorted entries as they are read; comments and order do not change it.
    """

    name: str
    entries: tuple[str, ...]
    lines: tuple[int, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class TextSource:
    """How a number is read from a text.

    Attributes:
        entries: of words, patterns and listed links; None for a measure, and for the links to any host.
        of: `message` is the judged one, `user`, or `metadata.KEY`.
        match: of words alone: at word edges, anywhere, or the whole text.
        compare: of words and patterns: in the two readings of a text, or as it was sent.
        counts_places: of patterns alone: how many places in all, not how many patterns.
    """

    kind: TextKind
    entries: EntryList | None = None
    of: str = MESSAGE
    match: WordMatch = "word"
    compare: TextComparison = "folded"
    counts_places: bool = False

    @property
    def counts_finds(self) -> bool:
        """Whether the number is how much was found; else it is a measure."""
        return self.kind in ("words", "patterns", "links")
