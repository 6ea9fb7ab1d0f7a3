from typing import NamedTuple

import pytest

from moderator.events import Decision, Verdict
from moderator.labels.queues import Margins, Queues, is_sampled, margins_of
from tests.unit.labels.decisions import a_condition, a_decision, a_rule


class Held(NamedTuple):
    decision_id: str
    verdict: Verdict
    shadow_verdict: Verdict
    is_borderline: bool
    margins: Margins


def held(decision: Decision) -> Held:
    return Held(decision["decision_id"], decision["verdict"], decision["shadow_verdict"], *margins_of(decision))


QUEUES = Queues(0.01, {"safety": 1.0, "karma": 1_000.0})


def near(mode: str = "live", **condition: object) -> Decision:
    return a_decision(
        verdict="allow", decision_id="mod_ffffffff", rules=[a_rule(mode=mode, conditions=[a_condition(**condition)])]
    )


def test_flags_are_in_their_queue_whatever_else_holds() -> None:
    assert QUEUES.of(held(a_decision(verdict="flag"))) == ["flagged"]


def test_what_shadow_rules_would_change_is_in_the_queue_of_shadow() -> None:
    assert QUEUES.of(held(a_decision(verdict="allow", shadow_verdict="flag", decision_id="mod_ffffffff"))) == ["shadow"]


@pytest.mark.parametrize(
    ("decision", "is_near"),
    [
        (near(margin=0.02), True),
        (near(margin=-0.02), True),
        (near(margin=0.0201), False),
        (near(margin=0.5, borderline=True), True),
        (near(mode="shadow", margin=0.0, borderline=True), False),
        (near(margin=None), False),
        (near(signal="karma", margin=-20.0), True),
        (near(signal="no-scale", margin=0.0), False),
    ],
)
def test_a_score_within_two_percent_of_its_scale_is_borderline(decision: Decision, is_near: bool) -> None:  # noqa: FBT001
    assert QUEUES.of(held(decision)) == (["borderline"] if is_near else [])
    assert [rule["rule"] for rule, _ in QUEUES.near(decision)] == (["a/b"] if is_near else [])


def test_of_several_conditions_on_a_signal_the_nearest_counts() -> None:
    conditions = [a_condition(margin=0.5), a_condition(margin=-0.1), a_condition(margin=0.3), a_condition(margin=None)]

    assert margins_of(a_decision(rules=[a_rule(conditions=conditions)])) == (False, (("safety", -0.1),))


def test_the_sample_is_drawn_by_the_decisions_id_so_that_all_draw_the_same() -> None:
    last_of_one_percent = f"mod_{int(0.01 * 2**32):08x}{0:024x}"

    assert is_sampled("mod_" + "0" * 32, 0.01)
    assert is_sampled(last_of_one_percent, 0.01) == (int(0.01 * 2**32) < 0.01 * 2**32)
    assert not is_sampled(f"mod_{int(0.01 * 2**32) + 1:08x}{0:024x}", 0.01)
    assert is_sampled("mod_" + "f" * 32, 1.0)
    assert not is_sampled("mod_" + "0" * 32, 0.0)
    assert not is_sampled("no id of ours", 1.0)


def test_only_allowed_decisions_are_sampled() -> None:
    assert QUEUES.of(held(a_decision(verdict="allow"))) == ["sample"]
    assert not QUEUES.holds("sample", held(a_decision(verdict="flag")))
