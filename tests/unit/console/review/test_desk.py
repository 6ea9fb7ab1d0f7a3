import pytest

from moderator.console.recent.store import Recent
from moderator.console.review.desk import Desk
from moderator.labels.queues import Queues
from moderator.labels.record import Reviewer
from moderator.labels.sink import LabelNotSavedError
from tests.unit.console.decisions import LabelList, a_decision, encoded

QUEUES = Queues(1.0, {"safety": 1.0})
ANA = Reviewer("ana", "login")


def a_desk(sink: LabelList) -> tuple[Desk, Recent]:
    recent = Recent(100, 1_000_000)
    recent.add_decisions(encoded(*(a_decision(number, flag=number % 2 == 0) for number in range(6))))
    return Desk(recent, sink, 1.0, lambda: "2026-11-30T12:00:00.000Z"), recent


def test_the_newest_decision_without_a_label_comes_first() -> None:
    desk, recent = a_desk(LabelList())
    newest = recent.find(f"mod_{4:032x}")
    assert newest is not None

    desk.save(newest.record, "unsure", ANA, note=None, queue="flagged")

    assert [each.event_id for each in desk.waiting("flagged", QUEUES)] == ["evt-2", "evt-0"]
    assert desk.counts(QUEUES) == {"flagged": 2, "shadow": 0, "borderline": 0, "sample": 3}


def test_a_label_that_is_not_safe_leaves_the_decision_where_it_is() -> None:
    sink = LabelList()
    sink.error = LabelNotSavedError("the disk is full")
    desk, recent = a_desk(sink)

    with pytest.raises(LabelNotSavedError):
        desk.save(recent.decisions[0].record, "right", ANA, note=None, queue=None)

    assert desk.counts(QUEUES)["flagged"] == 3


def test_other_scales_and_newer_decisions_are_noticed() -> None:
    desk, recent = a_desk(LabelList())
    before = desk.counts(Queues(0.0, {"safety": 1.0}))["borderline"]

    wide = desk.counts(Queues(0.0, {"safety": 100.0}))["borderline"]
    recent.add_decisions(encoded(a_decision(9, flag=True)))

    assert (before, wide) == (0, 6)
    assert desk.counts(Queues(0.0, {"safety": 100.0}))["borderline"] == 7
