"""Text signals whose recorded numbers another folder cannot use: recomputed where the text is known, else bounded.

A number follows from a text and from the signal's definition. A recorded one is right for every folder that defines
the signal alike; signals of fields that events echo are read again. What is left is *stale*: the number may be any
that the edit of the list allows, and a decision is made only where all of these come out the same.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from moderator.events import Decision
from moderator.policy import PolicySet
from moderator.policy.language.text_source import MESSAGE, TextSource
from moderator.policy.text.entries import meanings_of
from moderator.policy.text.text_signals import TextSignals, identity_of

KnownTexts = Mapping[bytes, Mapping[str, float | None]]
"""SHA-256 of an event's content -> what the candidate's signals read from its message, by signal."""


class Doubt(NamedTuple):
    """The numbers that a stale signal may have, and why it is stale; `greatest` None: any."""

    why: str
    least: float
    greatest: float | None


class Numbers(NamedTuple):
    """What the candidate's text signals read from one event.

    Attributes:
        known: by signal; None where the event does not have the text.
        stale: by signal, what may be.
    """

    known: Mapping[str, float | None]
    stale: Mapping[str, Doubt]


class TextNumbers:
    """Gives the numbers of a candidate's text signals for recorded decisions.

    Args:
        texts: of events whose texts are available; see `texts.read_texts`.
    """

    def __init__(self, baseline: PolicySet, candidate: PolicySet, texts: KnownTexts | None = None) -> None:
        self._sources = _sources(candidate)
        self._identities = {name: identity_of(source) for name, source in self._sources.items()}
        self._doubts = dict(_doubts(_sources(baseline), self._sources))
        echoed = {name: source for name, source in self._sources.items() if source.of != MESSAGE}
        self._echoed = TextSignals(echoed) if echoed else None
        self._of_message = [name for name, source in self._sources.items() if source.of == MESSAGE]
        self._last: tuple[Mapping[str, str], dict[str, str]] = {}, {}
        self._texts = texts or {}

    def of(self, decision: Decision) -> Numbers:
        """Give the numbers for one decision."""
        event = decision["event"]
        known: dict[str, float | None] = {}
        if self._echoed is not None:
            known |= self._echoed.read("", event["user"], event["metadata"]).numbers
        if not self._of_message:
            return Numbers(known, {})
        signals, recorded = decision["scores"]["signals"], self._recorded(decision)
        texts = self._texts.get(bytes.fromhex(event["content_sha256"])) if self._texts else None
        stale: dict[str, Doubt] = {}
        for name in self._of_message:
            if name in recorded and recorded[name] in signals:
                known[name] = signals[recorded[name]]
            elif texts is not None:
                known[name] = texts[name]
            else:
                stale[name] = self._doubt(name, decision)
        return Numbers(known, stale)

    def _recorded(self, decision: Decision) -> Mapping[str, str]:
        """Give which recorded signal is of the same definition as ours: one that was renamed keeps its numbers."""
        digits = _digits(decision)
        if digits != self._last[0]:  # successive decisions are of one snapshot
            names = {each: name for name, each in digits.items()}
            ours = {name: names[each] for name, each in self._identities.items() if each in names}
            self._last = digits, ours
        return self._last[1]

    def _doubt(self, name: str, decision: Decision) -> Doubt:
        """Bound a stale number by the recorded one where the lists are known to differ by some entries."""
        was = self._doubts.get((name, _digits(decision).get(name, "")))
        number = decision["scores"]["signals"].get(name)
        if was is None or number is None:
            return Doubt("not recorded by this definition", 0.0, None)
        greatest = None if was.greatest is None else number + was.greatest
        return Doubt(was.why, max(0.0, number - was.least), greatest)


def _sources(policies: PolicySet) -> dict[str, TextSource]:
    return {signal.name: signal.text for signal in policies.signals if signal.text is not None}


def _digits(decision: Decision) -> Mapping[str, str]:
    text = decision["policy"].get("text")
    return text["signals"] if text else {}


def _doubts(
    baseline: Mapping[str, TextSource], candidate: Mapping[str, TextSource]
) -> Iterator[tuple[tuple[str, str], Doubt]]:
    """Say, for each signal that both define otherwise, by how much a number can fall and rise at most."""
    for name in baseline.keys() & candidate.keys():
        was, now = baseline[name], candidate[name]
        if was == now:
            continue
        yield (name, identity_of(was)), _doubt(was, now)


def _doubt(was: TextSource, now: TextSource) -> Doubt:
    if was.entries is None or now.entries is None or not _is_read_alike(was, now):
        return Doubt("defined otherwise", math.inf, None)
    before, after = meanings_of(was), meanings_of(now)
    added, removed = len(after - before), len(before - after)
    why = f"{now.entries.name}: {added} added, {removed} removed"
    # places are counted without a limit; entries are counted once each
    return Doubt(why, math.inf if was.counts_places else float(removed), None if was.counts_places else float(added))


def _is_read_alike(was: TextSource, now: TextSource) -> bool:
    return (was.kind, was.of, was.match, was.compare, was.counts_places) == (
        now.kind,
        now.of,
        now.match,
        now.compare,
        now.counts_places,
    )
