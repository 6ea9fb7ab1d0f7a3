"""Which decisions a page lists: every filter is in the address, and all of them must fit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple, Self

from moderator.console.recent.dead_letter import RecentDeadLetter
from moderator.console.recent.decision import RecentDecision
from moderator.policy.language.event_time import parse_time_ms

DEAD_LETTER: Final = "dead_letter"
FACETS: Final = ("verdict", "rule", "reason", "tenant")
_SHOWN_VALUES = 12
_OF_DEAD_LETTERS: Final = frozenset({"verdict", "reason", "id"})
"""The filters that can fit a dead letter: it has no other value of a decision."""

Fits = Callable[[RecentDecision], bool]
_IN_LISTS: Final[Mapping[str, Callable[[str], Fits]]] = {
    "reason": lambda wanted: lambda each: wanted in each.reasons,
    "queue": lambda wanted: lambda each: wanted in each.queues,
    "rule": lambda wanted: lambda each: any(rule == wanted for rule, _ in each.rules),
    "id": lambda wanted: lambda each: wanted in (each.event_id, each.decision_id),
}
"""The filters that do not compare one value."""


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

    @property
    def texts(self) -> dict[str, str]:
        """The filters that are set and compare text."""
        return {name: value for name in TEXTS if (value := getattr(self, name)) is not None}

    def select(self, decisions: Sequence[RecentDecision]) -> Sequence[RecentDecision]:
        """Give those that fit, on whatever page, in the order given."""
        found = decisions
        for name, wanted in self.texts.items():
            if name in _IN_LISTS:
                found = list(filter(_IN_LISTS[name](wanted), found))
            else:
                place = RecentDecision._fields.index(name)
                found = [each for each in found if each[place] == wanted]
        if self.from_ms is None and self.to_ms is None:
            return found
        return [each for each in found if self._is_within(each.decided_ms)]

    def select_dead_letters(self, letters: Sequence[RecentDeadLetter]) -> Sequence[RecentDeadLetter]:
        """Give the dead letters that fit, on whatever page, in the order given."""
        if self.texts.keys() - _OF_DEAD_LETTERS or self.verdict not in {None, DEAD_LETTER}:
            return []
        return [
            each
            for each in letters
            if self._is_within(each.at_ms)
            and (self.reason is None or each.reason == self.reason)
            and (self.id is None or each.place == self.id)
        ]

    def _is_within(self, at_ms: int) -> bool:
        return (self.from_ms is None or at_ms >= self.from_ms) and (self.to_ms is None or at_ms < self.to_ms)


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


class Listing(NamedTuple):
    """Everything that fits, oldest first."""

    decisions: Sequence[RecentDecision]
    dead_letters: Sequence[RecentDeadLetter]
    filters: Filters

    def page(self, size: int) -> Page:
        """Give the newest of them, beginning after the filters' place; dead letters only where they are asked for."""
        items = self.dead_letters if self.filters.verdict == DEAD_LETTER else self.decisions
        found: list[RecentDecision | RecentDeadLetter] = list(islice(self._after(items), size + 1))
        shown = found[:size]
        return Page(shown, "{}.{}".format(*shown[-1][:2]) if len(found) > size else None)

    def facets(self) -> list[Facet]:
        """Count the values of all of them."""
        decisions, letters = self.decisions, self.dead_letters
        verdicts: Counter[str] = Counter(each.verdict for each in decisions)
        verdicts[DEAD_LETTER] = len(letters)
        rules = Counter(rule for each in decisions if each.rules for rule in {rule for rule, _ in each.rules})
        reasons = Counter(reason for each in decisions for reason in each.reasons)
        if self.filters.verdict == DEAD_LETTER:
            reasons.update(each.reason for each in letters)
        tenants = Counter(each.tenant for each in decisions if each.tenant is not None)
        counted = zip(FACETS, (verdicts, rules, reasons, tenants), strict=True)
        return [Facet(name, [each for each in found.most_common(_SHOWN_VALUES) if each[1]]) for name, found in counted]

    def _after(
        self, items: Sequence[RecentDecision] | Sequence[RecentDeadLetter]
    ) -> Iterator[RecentDecision | RecentDeadLetter]:
        before = self.filters.before
        newest_first: Iterable[RecentDecision | RecentDeadLetter] = reversed(items)
        return (each for each in newest_first if before is None or tuple(each[:2]) < before)


def listing(filters: Filters, decisions: Sequence[RecentDecision], dead_letters: Sequence[RecentDeadLetter]) -> Listing:
    """Give everything that fits."""
    is_dead = filters.verdict == DEAD_LETTER
    return Listing([] if is_dead else filters.select(decisions), filters.select_dead_letters(dead_letters), filters)


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
