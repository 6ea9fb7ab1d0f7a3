import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from moderator.events import ChatEvent, Cut, Decision, Scores, Unscored, iso_time
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.pipeline.decision import Decider, Timestamps, encode, explain
from moderator.policy import load_policies
from tests.builders import POLICY_FILES, a_model, a_record, a_scored_event, a_turn, an_event, some_policies, some_scores

AT = Timestamps(10.012, 10.0435, 10.0482, "2026-10-05T12:00:00.412Z")


@pytest.fixture
def decider(tmp_path: Path) -> Decider:
    return Decider(some_policies(tmp_path), a_model())


def decide(decider: Decider, scores: Scores | Unscored, event: ChatEvent | None = None, **record: Any) -> Decision:
    return decider.decide(a_record(**record), event or an_event(), a_scored_event(scores), 10.0, AT)


def test_the_decision_has_the_published_shape(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.21, 0.5))

    assert TypeAdapter(Decision).validate_json(json.dumps(decision), strict=True) == decision


def test_the_verdict_names_its_rules_scores_and_margins(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.21, 0.5))

    assert (decision["verdict"], decision["severity"], decision["reasons"]) == ("flag", "high", ["unsafe_content"])
    assert decision["scores"]["signals"] == {"safety": 0.21}
    assert decision["scores"]["objectives"] == {"beavertails-is_safe": 0.21, "helpsteer-helpfulness": 0.5}
    unsafe = next(rule for rule in decision["rules"] if rule["rule"] == "safety/unsafe")
    assert unsafe["conditions"][0]["margin"] == pytest.approx(0.09)


def test_a_shadow_rule_changes_only_the_shadow_verdict(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.5, 0.5))

    assert (decision["verdict"], decision["shadow_verdict"], decision["severity"]) == ("allow", "flag", None)


def test_an_unscored_event_says_so_and_follows_if_unscored(decider: Decider) -> None:
    decision = decide(decider, Unscored("the model gave a value that is not finite"))

    assert (decision["status"], decision["verdict"], decision["severity"]) == ("unscored", "flag", "high")
    assert decision["error"] == "the model gave a value that is not finite"
    assert decision["rules"] == []
    assert decision["explanation"] == []
    assert decision["scores"]["overall"] is None
    assert set(decision["scores"]["objectives"].values()) == {None}


def test_scores_are_recorded_to_six_decimals(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.123456789, 0.5, weights=(1.0, 0.0)))

    assert decision["scores"]["signals"] == {"safety": 0.123457}
    assert decision["scores"]["objectives"] == {"beavertails-is_safe": 0.123457, "helpsteer-helpfulness": 0.5}
    assert decision["scores"]["overall"] == 0.123457


def test_what_was_remembered_says_so(decider: Decider) -> None:
    assert decider.decide(a_record(), an_event(), a_scored_event(cached=True), 10.0, AT)["cached"]
    assert not decide(decider, some_scores())["cached"]


@pytest.mark.parametrize(("cut", "truncated"), [("nothing", False), ("context", True), ("message", True)])
def test_the_decision_says_how_the_event_was_read(decider: Decider, cut: Cut, *, truncated: bool) -> None:
    event = an_event(skipped={"image": 2, "tool_call": 1})

    decision = decider.decide(a_record(), event, a_scored_event(cut=cut, removed=7), 10.0, AT)

    skipped = {"image": 2, "tool_call": 1}
    assert decision["reading"] == {"cut": cut, "passages": 1, "removed": 7, "skipped": skipped}
    assert (decision["truncated"], decision["skipped_parts"]) == (truncated, 3)


def test_of_several_passages_the_worst_count_and_each_is_recorded(decider: Decider) -> None:
    kind, unkind = some_scores(0.9, 0.4, weights=(0.5, 0.5)), some_scores(0.1, 0.6, weights=(0.9, 0.1))

    decision = decider.decide(a_record(), an_event(), a_scored_event(kind, unkind), 10.0, AT)

    assert decision["verdict"] == "flag"
    assert decision["reading"]["passages"] == 2
    assert decision["scores"] == {
        "signals": {"safety": 0.1},
        "objectives": {"beavertails-is_safe": 0.1, "helpsteer-helpfulness": 0.4},
        "overall": 0.15,
        "passages": [
            {
                "from": 0,
                "to": 15,
                "objectives": {"beavertails-is_safe": 0.9, "helpsteer-helpfulness": 0.4},
                "overall": 0.65,
            },
            {
                "from": 10,
                "to": 25,
                "objectives": {"beavertails-is_safe": 0.1, "helpsteer-helpfulness": 0.6},
                "overall": 0.15,
            },
        ],
    }
    assert sum(each["contribution"] for each in decision["explanation"]) == pytest.approx(0.15)
    assert {condition["passage"] for rule in decision["rules"] for condition in rule["conditions"]} == {1}


def test_a_message_read_at_once_records_no_passages(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.1, 0.5))

    assert "passages" not in decision["scores"]
    assert all("passage" not in condition for rule in decision["rules"] for condition in rule["conditions"])


def test_a_passage_that_could_not_be_scored_leaves_the_event_unscored(decider: Decider) -> None:
    scored = a_scored_event(some_scores(0.9, 0.5), Unscored("out of memory"))

    decision = decider.decide(a_record(), an_event(), scored, 10.0, AT)

    assert (decision["status"], decision["error"], decision["reading"]["passages"]) == ("unscored", "out of memory", 2)
    assert "passages" not in decision["scores"]


def test_the_event_is_summed_up_without_its_text(decider: Decider) -> None:
    event = an_event(
        a_turn("attack at dawn"), tenant="acme", metadata={"surface": "web"}, skipped={"image": 1, "tool_call": 1}
    )

    decision = decide(decider, some_scores(), event, partition=3, offset=991)

    assert "attack" not in json.dumps(decision)
    assert decision["event"]["speaker"] == "user"
    assert (decision["event"]["partition"], decision["event"]["offset"]) == (3, 991)
    assert decision["event"]["metadata"] == {"surface": "web"}
    assert decision["skipped_parts"] == 2
    assert decision["event"]["content_sha256"] == hashlib.sha256(b'[["user","attack at dawn"]]').hexdigest()


def test_the_text_is_published_only_where_the_operator_asks_for_it(tmp_path: Path) -> None:
    decider = Decider(some_policies(tmp_path), a_model(), include_content="full")

    decision = decide(decider, some_scores(), an_event(a_turn("hello")))

    assert decision["event"]["messages"] == [{"role": "user", "content": "hello"}]


def test_the_encoded_decision_is_the_decision_and_names_the_rules_that_matched(decider: Decider) -> None:
    decision = decide(decider, some_scores(0.5, 0.5), an_event(id="e", tenant="acme"))

    encoded = encode(decision)

    assert json.loads(encoded.value) == decision
    assert (encoded.event_id, encoded.tenant, encoded.verdict, encoded.severity) == ("e", "acme", "allow", None)
    assert encoded.matched == [("safety/doubtful", "shadow")]
    assert encoded.total_ms == decision["timing_ms"]["total"]


def test_the_encoded_decision_names_each_score_that_its_rules_lacked_once(decider: Decider) -> None:
    lacking, whole = (encode(decide(decider, some_scores(safety, 0.5))) for safety in (math.nan, 0.5))

    assert (lacking.status, lacking.missing_scores) == ("degraded", [("safety", "not_finite")])
    assert whole.missing_scores == []


def test_a_rule_that_flags_for_want_of_a_score_is_named_with_those_that_matched(decider: Decider) -> None:
    encoded = encode(decide(decider, some_scores(math.nan, 0.5)))

    assert encoded.verdict == "flag"
    assert ("safety/unsafe", "live") in encoded.matched


def test_a_live_rule_outside_its_rollout_is_counted_as_shadow(tmp_path: Path) -> None:
    some_policies(tmp_path)
    rolled_out = POLICY_FILES["safety.yaml"].replace("mode: live", "mode: live\n    rollout: 0.01% of users")
    (tmp_path / "safety.yaml").write_text(rolled_out)
    decider = Decider(load_policies(tmp_path), a_model())

    encoded = encode(decide(decider, some_scores(0.1, 0.5), an_event(user="user-1")))

    assert (encoded.verdict, encoded.matched) == ("allow", [("safety/doubtful", "shadow"), ("safety/unsafe", "shadow")])


def test_a_repeat_has_the_same_id_and_any_difference_another(decider: Decider) -> None:
    first = decide(decider, some_scores(0.9, 0.5), an_event(id="1", tenant="a"), offset=1)["decision_id"]
    repeat = decide(decider, some_scores(0.9, 0.5), an_event(id="1", tenant="a"), offset=2)["decision_id"]
    others = [
        decide(decider, some_scores(), event)["decision_id"]
        for event in (
            an_event(id="2", tenant="a"),
            an_event(id="1", tenant="b"),
            an_event(id="1"),
            an_event(a_turn("other"), id="1", tenant="a"),
        )
    ]

    assert first == repeat
    assert len({first, *others}) == 5
    assert first.startswith("mod_")
    assert len(first) == len("mod_") + 32


def test_times_are_milliseconds_on_the_way(decider: Decider) -> None:
    assert decide(decider, some_scores())["timing_ms"] == {"queued": 12.0, "scored": 31.5, "total": 48.2}
    assert iso_time(1_790_000_000.4121) == "2026-09-21T14:13:20.412Z"


finite = st.floats(-50, 50, width=32)


@given(
    rewards=st.lists(finite, min_size=19, max_size=19), weights=st.lists(finite, min_size=19, max_size=19).filter(any)
)
def test_the_explanation_sums_to_the_recorded_overall(rewards: list[float], weights: list[float]) -> None:
    scores = Scores(tuple(rewards), tuple(weights), truncated=False)

    explanation = explain(scores, ARMORM_OBJECTIVES)

    assert scores.overall is not None
    assert sum(each["contribution"] for each in explanation) == pytest.approx(round(scores.overall, 6), abs=1e-5)
    assert [each["objective"] for each in explanation][-1] == "others"
    listed = [abs(each["contribution"]) for each in explanation[:-1]]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 5


@given(rewards=st.permutations([-64.0, 32.0, -16.0, 8.0, -4.0, 2.0, -1.0, 0.5, 0.25, 0.0]))
def test_the_five_largest_contributions_are_listed_whatever_their_sign(rewards: list[float]) -> None:
    objectives = [f"objective {reward}" for reward in rewards]

    explanation = explain(Scores(tuple(rewards), (1.0,) * len(rewards), truncated=False), objectives)

    assert [each["contribution"] for each in explanation] == [-64.0, 32.0, -16.0, 8.0, -4.0, 1.75]
    assert [each["objective"] for each in explanation[:2]] == ["objective -64.0", "objective 32.0"]


def test_labels_that_nothing_weighs_have_no_overall_score_to_explain() -> None:
    scores = Scores((0.9, 0.1), (0.0, 0.0), truncated=False)

    assert scores.overall is None
    assert explain(scores, ("toxic", "threat")) == []


ENDING = POLICY_FILES | {
    "safety.yaml": POLICY_FILES["safety.yaml"].replace("mode: live", "mode: live\n    until: 2026-10-05")
}
BEFORE_MS, AFTER_MS = 1_791_158_399_999, 1_791_158_400_000


@pytest.mark.parametrize(
    ("timestamp_ms", "time", "outcome"),
    [
        (BEFORE_MS, "2030-01-01T00:00:00Z", "matched"),
        (AFTER_MS, "2020-01-01T00:00:00Z", "ended"),
        (None, "2020-01-01T00:00:00Z", "matched"),
        (None, None, "ended"),
    ],
)
def test_a_rule_ends_by_the_brokers_time_or_else_the_events_or_else_the_clocks(
    timestamp_ms: int | None, time: str | None, outcome: str
) -> None:
    decider = Decider(load_policies({name: text.encode() for name, text in ENDING.items()}), a_model())

    decision = decide(decider, some_scores(0.1, 0.5), an_event(time=time), timestamp_ms=timestamp_ms)

    unsafe = next(rule for rule in decision["rules"] if rule["rule"] == "safety/unsafe")
    assert unsafe["outcome"] == outcome


def test_the_calibration_of_the_running_model_is_named() -> None:
    quantiles = [rank / 1000 for rank in range(1001)]
    calibration = {
        "format": 1,
        "model": {"name": a_model().name, "fingerprint": a_model().fingerprint, "dtype": "float32"},
        "framing": "reply/2",
        "events": 1_000,
        "quantiles": {"beavertails-is_safe": quantiles},
    }
    files = {name: text.encode() for name, text in POLICY_FILES.items()}
    files["signals.yaml"] += f"calibrations: {{{a_model().name}: calibration/a.json}}".encode()
    policies = load_policies(files | {"calibration/a.json": json.dumps(calibration).encode()})

    named, unnamed = (
        decide(Decider(policies, model), some_scores(0.1, 0.5))["policy"]["calibration"]
        for model in (a_model(), replace(a_model(), name="another"))
    )

    assert named == policies.calibrations[a_model().name].hash
    assert unnamed is None
