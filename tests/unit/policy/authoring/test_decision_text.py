from pathlib import Path

import pytest

from moderator.events import Cut, Scores
from moderator.policy import PolicySet
from moderator.policy.authoring.decision_text import decision_text
from tests.builders import a_scored_event
from tests.unit.policy.decisions import a_decision, a_decision_on, an_unscored_decision
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, SIGNALS, a_set


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    points = SIGNALS.replace("low: 0, high: 4}", "low: 0, high: 4, unit: points}")
    return a_set(tmp_path_factory.mktemp("policies"), CHAT_SAFETY, signals=points, exemptions=EXEMPTIONS)


def lines_of(policies: PolicySet, **given: object) -> list[str]:
    decision = a_decision(policies, **given)  # type: ignore[arg-type]
    return decision_text(decision, policies).splitlines()


def test_a_decision_is_written_out_rule_by_rule(policies: PolicySet) -> None:
    decision = a_decision(policies, safety=0.5, helpfulness=0.29, correctness=0.5)

    text = decision_text(decision, policies)

    head = f"FLAG medium   snapshot {policies.snapshot[7:15]}   event evt-1   2026-10-05T12:00:00Z\n"
    assert text == head + (
        " flag    chat-safety/useless-and-doubtful  live, user-5 is inside 25%\n"
        "    yes  safety              0.50  below 0.55           by 0.05\n"
        "    yes  usefulness          0.95  below 1.0 points     by 0.05   borderline\n"
        "    no   honesty             0.60  in the lowest 2%     misses by 0.58\n"
        "    no   unless correctness  2.00  at least 3.0 points  misses by 1.00\n"
        " no      chat-safety/unsafe-reply\n"
        "         safety 0.50, below 0.30 misses by 0.20\n"
        " shadow  chat-safety/stricter-safety\n"
        "         safety 0.50, below 0.40 misses by 0.10\n"
        " reasons: low_quality; labels: quality-pilot\n"
    )


def test_the_passage_of_a_long_message_that_a_score_is_from_is_said(policies: PolicySet) -> None:
    kind, unkind = ((0.9, 0.7, 0.6, 0.6), (0.1, 0.7, 0.6, 0.6))
    scores = [Scores(rewards, (0.25,) * 4, truncated=False) for rewards in (kind, unkind)]

    lines = decision_text(a_decision_on(policies, a_scored_event(*scores)), policies).splitlines()

    assert lines[1:4] == [
        " flag    chat-safety/unsafe-reply          live",
        "    yes  safety  0.10  below 0.30  by 0.20",
        "         in passage 2 of 2, characters 10 to 25",
    ]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("message", " some of the judged message was not read: it was too long"),
        ("context", " older turns were not read: the event was too long"),
    ],
)
def test_what_was_not_read_is_said(policies: PolicySet, cut: Cut, said: str) -> None:
    scores = Scores((0.9, 0.7, 0.6, 0.6), (0.25,) * 4, truncated=False)

    lines = decision_text(a_decision_on(policies, a_scored_event(scores, cut=cut)), policies).splitlines()

    assert lines[1] == said


def test_a_rule_outside_its_rollout_is_watched(policies: PolicySet) -> None:
    lines = lines_of(policies, safety=0.5, helpfulness=0.29, correctness=0.5, user="user-1")

    assert " shadow  chat-safety/useless-and-doubtful" in lines[3]
    assert lines[4].strip() == "live, user-1 is outside 25%, would flag"
    assert lines[-1] == " with every shadow rule live: flag"


def test_who_was_spared_and_by_what_is_told(policies: PolicySet) -> None:
    by_item = lines_of(policies, safety=0.5, helpfulness=0.29, correctness=0.5, role="staff")
    by_exemption = lines_of(policies, safety=0.1, channel="red-team", locale=None)

    assert any(line.endswith("spared by except 1") for line in by_item)
    assert " spared  chat-safety/unsafe-reply     live, spared by red-team-room" in by_exemption


def test_a_rule_is_not_yet_or_no_longer_in_force(policies: PolicySet) -> None:
    early = lines_of(policies, at_ms=1_790_000_000_000)
    late = lines_of(policies, at_ms=1_800_000_000_000)

    assert any(line.startswith(" not yet chat-safety/useless-and-doubtful") for line in early)
    assert any(line.endswith("live, user-5 is inside 25%, starts 2026-10-01") for line in early)
    assert any(line.startswith(" ended   chat-safety/useless-and-doubtful") for line in late)
    assert any(line.endswith("live, user-5 is inside 25%, ended 2027-01-01") for line in late)


@pytest.mark.parametrize(
    ("at_ms", "time", "shown"),
    [
        (1_791_201_600_000_000, None, "1791201600000000 ms since 1970"),
        (None, "2026-10-05T14:00:00+02:00", "2026-10-05T12:00:00Z"),
        (None, "yesterday", "2026-10-05T12:00:00.412Z"),
    ],
)
def test_the_time_told_is_the_one_that_policies_went_by(
    policies: PolicySet, at_ms: int | None, time: str | None, shown: str
) -> None:
    decision = a_decision(policies, at_ms=at_ms, time=time)

    assert decision_text(decision, policies).splitlines()[0].endswith(f"event evt-1   {shown}")


def test_a_score_that_is_missing_says_why(policies: PolicySet) -> None:
    lines = lines_of(policies, safety=float("nan"))

    assert lines[1] == " degraded: a score that a rule needs is missing"
    assert " flag    chat-safety/unsafe-reply          live, unknown" in lines
    assert "    ?    safety  -  below 0.30  it is not finite" in lines


def test_rules_for_other_events_are_named_with_the_field_that_did_not_fit(policies: PolicySet) -> None:
    elsewhere, nowhere = (lines_of(policies, channel=channel) for channel in ("elsewhere", None))

    assert elsewhere[-2:] == [
        " n/a     chat-safety/useless-and-doubtful",
        '         channel is "elsewhere", the rule wants "general" or "help"',
    ]
    assert nowhere[-1] == " n/a     chat-safety/useless-and-doubtful  the event has no channel"


def test_an_unscored_event_asked_no_rule(policies: PolicySet) -> None:
    text = decision_text(an_unscored_decision(policies, "the model gave NaN"), policies)

    assert " unscored, so no rule that needs a score was asked: the model gave NaN\n" in text


def test_scores_near_a_limit_are_written_to_the_last_decimal(policies: PolicySet) -> None:
    near = lines_of(policies, safety=0.299999)
    far = lines_of(policies, safety=0.123456)

    assert "    yes  safety  0.299999  below 0.30  by 0.000001" in near
    assert "    yes  safety  0.123  below 0.30  by 0.177" in far


def test_without_its_snapshot_a_decision_is_told_as_it_was_recorded(policies: PolicySet) -> None:
    decision = a_decision(policies, safety=0.5, helpfulness=0.29, correctness=0.5)

    text = decision_text(decision, None)

    assert "live, inside its rollout\n" in text
    assert "    yes  usefulness          0.95  below 1.0         by 0.05   borderline\n" in text


def test_no_line_is_wider_than_a_terminal(policies: PolicySet) -> None:
    lines = [line for safety in (0.1, 0.35, 0.9) for line in lines_of(policies, safety=safety, helpfulness=0.1)]

    assert max(map(len, lines)) <= 80


def test_what_was_recorded_cannot_steer_the_terminal(policies: PolicySet, tmp_path: Path) -> None:
    decision = a_decision(policies, id="evil\x1b[2J\nFLAG", user="user\x1b[31m")

    text = decision_text(decision, policies)

    assert "\x1b" not in text
    assert "event evil\\x1b[2J\\nFLAG " in text
