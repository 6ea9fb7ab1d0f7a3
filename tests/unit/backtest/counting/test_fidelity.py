import json
from pathlib import Path

import pytest

from moderator.backtest.report.values import WITHOUT_FIDELITY
from moderator.errors import PolicyError
from moderator.policy import PolicySet
from tests.unit.backtest.decisions import (
    USUAL,
    changed,
    recorded,
    recorded_as_read,
    recorded_in_passages,
    report_of,
    some_recorded,
)
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, a_folder, a_model, a_policy, a_rule, a_set


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    """The whole language's example."""
    return a_set(tmp_path_factory.mktemp("policies"), CHAT_SAFETY, exemptions=EXEMPTIONS)


def test_unscored_events_come_out_as_recorded(policies: PolicySet) -> None:
    report = report_of(policies, policies, [recorded(policies)])

    assert report.fidelity.is_whole
    assert report.events.unscored == 1


@pytest.mark.parametrize(
    ("tampered", "what"),
    [
        ({"verdict": "flag"}, "verdict: recorded flag, replayed allow"),
        ({"severity": "low"}, "severity: recorded low, replayed none"),
        ({"reasons": ["low_quality"]}, "reasons: recorded low_quality, replayed none"),
        ({"labels": ["other"]}, "labels: recorded other, replayed none"),
        ({"status": "degraded"}, "status: recorded degraded, replayed scored"),
        ({"shadow_verdict": "flag"}, "shadow_verdict: recorded flag, replayed allow"),
        ({"rules": []}, "rule chat-safety/stricter-safety: recorded not listed, replayed not matched"),
    ],
)
def test_a_decision_that_comes_out_otherwise_is_named_with_what_differs(
    policies: PolicySet, tampered: dict[str, object], what: str
) -> None:
    whole = recorded(policies, *USUAL)

    fidelity = report_of(
        policies, policies, [whole, changed(recorded(policies, *USUAL, id="evt-2"), **tampered)]
    ).fidelity

    assert (fidelity.compared, fidelity.reproduced, fidelity.is_whole) == (2, 1, False)
    assert [(each.event_id, each.what) for each in fidelity.differences] == [("evt-2", what)]


def test_a_signal_that_no_rule_asks_for_comes_out_as_recorded_too(policies: PolicySet) -> None:
    whole = recorded(policies, *USUAL)
    scores = json.loads(whole)["scores"]
    scores["signals"]["helpfulness"] += 0.000001

    fidelity = report_of(policies, policies, [changed(whole, scores=scores)]).fidelity

    (difference,) = fidelity.differences
    assert (fidelity.compared, fidelity.reproduced) == (1, 0)
    assert difference.what.startswith("signals: recorded {")


def test_rules_in_another_order_or_listed_twice_are_reported(policies: PolicySet) -> None:
    rules = json.loads(recorded(policies, *USUAL))["rules"]

    for tampered in (rules[::-1], [*rules, rules[0]]):
        (difference,) = report_of(
            policies, policies, [changed(recorded(policies, *USUAL), rules=tampered)]
        ).fidelity.differences

        assert difference.what == "rules: recorded in another order, or one of them twice"


def test_decisions_of_other_snapshots_do_not_count_and_are_reported(tmp_path: Path, policies: PolicySet) -> None:
    other = a_set(tmp_path, a_policy(a_rule("safety: below 0.5")))

    fidelity = report_of(policies, other, [recorded(policies, *USUAL), recorded(other, *USUAL)]).fidelity

    assert (fidelity.compared, fidelity.is_whole) == (1, True)
    assert fidelity.others == {other.snapshot: 1}


def test_without_any_decision_of_the_baseline_the_fidelity_is_not_whole(tmp_path: Path, policies: PolicySet) -> None:
    other = a_set(tmp_path, a_policy(a_rule("safety: below 0.5")))

    report = report_of(policies, policies, some_recorded(other, [0.1, 0.9]))

    assert not report.fidelity.is_whole
    assert set(report.record) == {*WITHOUT_FIDELITY}


def test_percent_phrases_are_not_judged_on_a_model_that_was_not_calibrated(policies: PolicySet, tmp_path: Path) -> None:
    plain = a_set(tmp_path, a_policy())
    decision = recorded(plain, *USUAL, model=a_model(fingerprint="sha256:bbbb"))

    with pytest.raises(PolicyError, match="do not suit the model"):
        report_of(plain, policies, [decision])


def test_models_are_counted_apart(tmp_path: Path) -> None:
    plain = a_set(a_folder(tmp_path), a_policy())
    decisions = [recorded(plain, *USUAL), recorded(plain, 0.1, 0.2, model=a_model(["beavertails-is_safe", "x"]))]

    report = report_of(plain, plain, [*decisions, recorded(plain, *USUAL, model=a_model(fingerprint="sha256:bbbb"))])

    assert [(model.fingerprint, model.events) for model in report.events.models] == [
        ("sha256:aaaa", 2),
        ("sha256:bbbb", 1),
    ]
    assert report.fidelity.is_whole


def test_decisions_of_a_release_that_did_not_record_how_it_read_come_out_as_recorded(policies: PolicySet) -> None:
    older = [
        {k: v for k, v in json.loads(each).items() if k != "reading"} for each in some_recorded(policies, (0.1, 0.9))
    ]
    truncated = [{**each, "truncated": True} for each in older]

    fidelity = report_of(policies, policies, [json.dumps(each).encode() for each in (*older, *truncated)]).fidelity

    assert (fidelity.compared, fidelity.reproduced) == (4, 4)


def test_a_decision_on_a_message_that_was_cut_comes_out_as_recorded(policies: PolicySet) -> None:
    cut = recorded_as_read(policies, "message")

    report = report_of(policies, policies, [cut])

    assert json.loads(cut)["reasons"] == ["truncated"]
    assert report.fidelity.is_whole


def test_a_candidate_that_uses_an_objective_the_other_way_round_is_judged_by_the_passages(tmp_path: Path) -> None:
    signals = (
        "signals: {{safety: {{about: How safe, from: beavertails-is_safe, scale: {{low: 0, high: 1}}, good: {}}}}}"
    )
    rule = {"high": "safety: below 0.05", "low": "safety: above 0.95"}
    before, after = (
        a_set(tmp_path / good, a_policy(a_rule(rule[good])), signals=signals.format(good)) for good in ("high", "low")
    )
    decision = recorded_in_passages(before, [0.97, 0.7, 0.6, 0.6], [0.1, 0.7, 0.6, 0.6])

    report = report_of(before, after, [decision])

    assert json.loads(decision)["scores"]["objectives"]["beavertails-is_safe"] == 0.1
    assert (report.fidelity.reproduced, report.flips.allow_flag) == (1, 1)
