"""The review desk: which decisions wait for a person's word, and where that word goes."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from moderator.console.recent.decision import RecentDecision
from moderator.console.recent.store import Recent
from moderator.events import Decision
from moderator.labels.book import LabelBook
from moderator.labels.queues import Queues
from moderator.labels.record import QUEUES, Label, Queue, Reviewer, Said, label_of
from moderator.labels.sink import LabelSink
from moderator.observability.logging import get_logger

log = get_logger(__name__)

_SPARE = 1_000


class _Known(NamedTuple):
    """Where decisions belong, by their number in the order of reading."""

    queues: Queues
    by_number: dict[int, tuple[Queue, ...]]


class Desk:
    """Labels that were read or written, and the decisions that have none.

    Args:
        recent: the decisions that are held.
        sink: where labels go; None: nobody can label.
        sample_share: of allowed decisions, those that the queue `sample` holds.
        now: the time as labels carry it.

    Attributes:
        book: every label that is known.
    """

    def __init__(self, recent: Recent, sink: LabelSink | None, sample_share: float, now: Callable[[], str]) -> None:
        self.book = LabelBook()
        self.sample_share = sample_share
        self._recent = recent
        self._sink = sink
        self._now = now
        self._known = _Known(Queues(sample_share, {}), {})

    @property
    def is_read_only(self) -> bool:
        """Whether nobody can label."""
        return self._sink is None

    def waiting(self, queue: Queue, queues: Queues) -> Iterator[RecentDecision]:
        """Give the decisions of a queue whose event has no label, newest first."""
        known = self._known_of(queues)
        for decision in reversed(self._recent.decisions):
            if queue in _queues_of(decision, known) and self._has_no_label(decision):
                yield decision

    def counts(self, queues: Queues) -> Counter[Queue]:
        """Count the decisions that wait in each queue."""
        counted: Counter[Queue] = Counter(dict.fromkeys(QUEUES, 0))
        known = self._known_of(queues)
        for decision in self._recent.decisions:
            waits_in = _queues_of(decision, known)
            if waits_in and self._has_no_label(decision):
                for queue in waits_in:
                    counted[queue] += 1
        return counted

    def _has_no_label(self, decision: RecentDecision) -> bool:
        return (decision.tenant or "", decision.event_id) not in self.book

    def _known_of(self, queues: Queues) -> _Known:
        """Give what was found out before; nothing where the scales are others, or most of it is not held any more."""
        if self._known.queues != queues or len(self._known.by_number) > 2 * len(self._recent.decisions) + _SPARE:
            self._known = _Known(queues, {})
        return self._known

    def save(
        self, decision: Decision, said: Said, reviewer: Reviewer, *, note: str | None, queue: Queue | None
    ) -> Label:
        """Write a label, and count it once it is safe.

        Raises:
            LabelNotSavedError: it may not have arrived; it does not count.
        """
        assert self._sink is not None
        label = label_of(
            decision,
            said,
            reviewer,
            labelled_at=self._now(),
            note=note,
            queue=queue,
            sample_share=self.sample_share,
        )
        self._sink.save(label)
        self.book.add(label)
        log.info(
            "label_written",
            reviewer=reviewer.name,
            reviewer_from=reviewer.known_from,
            event_id=label["id"],
            tenant=label["tenant"],
            decision_id=label["decision_id"],
            judgement=said,
        )
        return label


def _queues_of(decision: RecentDecision, known: _Known) -> tuple[Queue, ...]:
    """Say where a decision belongs; each is asked once while the scales stay."""
    found = known.by_number.get(decision.number)
    if found is None:
        found = known.by_number[decision.number] = tuple(known.queues.of(decision))
    return found
