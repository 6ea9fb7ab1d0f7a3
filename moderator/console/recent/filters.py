"""Which decisions a page lists: every filter is in the address, and all of them must fit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, Self

from moderator.console.recent.dead_letter import RecentDeadLetter
from moderator.console.recent.decision import RecentDecision
from moderator.policy.language.event_time import parse_time_ms

DEAD_LETTER = "dead_letter"
FACETS = ("verdict", "rule", "reason", "tenant")
_SHOWN_VALUES = 12


class MalformedFilterError(ValueError):
    """A filter that no decision could fit, as it is written wrongly.

    Attributes:
        name: the filter's.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"`{name}` {problem}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Filters:
    """What a decision must be; None: anything.

    Attributes:
        from_ms, to_ms: when it was made; the second is not included.
        before: the place after which the page begins, in the order of the list: milliseconds and number.
    """

    verdict: str | None = None
    status: str | None = None
    rule: str | None = None
    severity: str | None = None
    reason: str | None = None
    action: str | None = None
    queue: str | None = None
    tenant: str | None = None
    channel: str | None = None
    user: str | None = None
    id: str | None = None
    snapshot: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    before: tuple[int, int] | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Read an address' query; what is empty or unknown has no effect.

        Raises:
            MalformedFilterError: a time or a place is none.
        """
        given: dict[str, Any] = {name: value for name in TEXTS if (value := query.get(name))}
        given |= {f"{name}_ms": _time(name, value) for name in ("from", "to") if (value := query.get(name))}
        before = query.get("before")
        return cls(**given, before=_place(before) if before else None)

    def fits(self, decision: RecentDecision) -> bool:
        """Tell whether a decision is what is wanted; times and place are `select`'s."""
        return (
            (self.verdict is None or decision.verdict == self.verdict)
            and (self.status is None or decision.status == self.status)
            and (self.severity is None or decision.severity == self.severity)
            and (self.action is None or decision.action == self.action)
            and (self.queue is None or self.queue in decision.queues)
            and (self.tenant is None or decision.tenant == self.tenant)
            and (self.channel is None or decision.channel == self.channel)
            and (self.user is None or decision.user == self.user)
            and (self.snapshot is None or decision.snapshot == self.snapshot)
            and (self.reason is None or self.reason in decision.reasons)
            and (self.rule is None or any(rule == self.rule for rule, _ in decision.rules))
            and (self.id is None or self.id in (decision.event_id, decision.decision_id))
        )

    def fits_dead_letter(self, letter: RecentDeadLetter) -> bool:
        """Tell whether a dead letter is what is wanted; it has a reason, a time and its event's place alone."""
        mine = {"verdict", "reason", "id"}
        return (
            all(getattr(self, name) is None for name in TEXTS if name not in mine)
            and (self.reason is None or letter.reason == self.reason)
            and (self.id is None or self.id == letter.place)
        )

    def is_within(self, at_ms: int, number: int) -> bool:
        """Tell whether a time is between the two, and the place is on this page or on one after it."""
        return (
            (self.from_ms is None or at_ms >= self.from_ms)
            and (self.to_ms is None or at_ms < self.to_ms)
            and (self.before is None or (at_ms, number) < self.before)
        )


TEXTS = tuple(field.name for field in fields(Filters) if field.name not in {"from_ms", "to_ms", "before"})
"""The filters that compare text."""


class Page(NamedTuple):
    """What a list shows.

    Attributes:
        items: newest first.
        next: the place of the last one, when there are more; else None.
    """

    items: Sequence[RecentDecision | RecentDeadLetter]
    next: str | None


class Facet(NamedTuple):
    """How many of the decisions that fit have which value, the most frequent first."""

    name: str
    values: Sequence[tuple[str, int]]


def page_of(
    filters: Filters, decisions: Sequence[RecentDecision], dead_letters: Sequence[RecentDeadLetter], size: int
) -> Page:
    """List the newest that fit."""
    found = list(islice(_fitting(filters, decisions, dead_letters), size + 1))
    shown = found[:size]
    return Page(shown, "{}.{}".format(*shown[-1][:2]) if len(found) > size else None)


def facets_of(
    filters: Filters, decisions: Iterable[RecentDecision], dead_letters: Iterable[RecentDeadLetter]
) -> list[Facet]:
    """Count the values of everything that fits, on whatever page."""
    filters = replace(filters, before=None)
    counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    if filters.verdict != DEAD_LETTER:
        for each in decisions:
            if filters.fits(each) and filters.is_within(each.decided_ms, each.number):
                counts["verdict"][each.verdict] += 1
                counts["rule"].update({rule for rule, _ in each.rules})
                counts["reason"].update(each.reasons)
                if each.tenant is not None:
                    counts["tenant"][each.tenant] += 1
    if filters.verdict in {None, DEAD_LETTER}:
        letters = [each for each in dead_letters if _is_wanted(filters, each)]
        counts["verdict"][DEAD_LETTER] += len(letters)
        if filters.verdict == DEAD_LETTER:
            counts["reason"].update(each.reason for each in letters)
    return [Facet(name, [each for each in counts[name].most_common(_SHOWN_VALUES) if each[1]]) for name in FACETS]


def _fitting(
    filters: Filters, decisions: Sequence[RecentDecision], dead_letters: Sequence[RecentDeadLetter]
) -> Iterator[RecentDecision | RecentDeadLetter]:
    if filters.verdict == DEAD_LETTER:
        return (each for each in reversed(dead_letters) if _is_wanted(filters, each))
    return (
        each for each in reversed(decisions) if filters.is_within(each.decided_ms, each.number) and filters.fits(each)
    )


def _is_wanted(filters: Filters, letter: RecentDeadLetter) -> bool:
    return filters.is_within(letter.at_ms, letter.number) and filters.fits_dead_letter(letter)


def _time(name: str, text: str) -> int:
    """Read a time; without a zone it is UTC, as everything that pages show."""
    at_ms = parse_time_ms(text)
    if at_ms is None:
        try:
            at_ms = parse_time_ms(datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat())
        except ValueError:
            at_ms = None
    if at_ms is None:
        raise MalformedFilterError(name, "should be a time such as `2026-11-29T12:00:00Z`")
    return at_ms


def _place(text: str) -> tuple[int, int]:
    at, _, number = text.partition(".")
    try:
        return int(at), int(number)
    except ValueError:
        raise MalformedFilterError("before", "should be what a list gave as `next`") from None
