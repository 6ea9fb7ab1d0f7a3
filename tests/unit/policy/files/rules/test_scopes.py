from pathlib import Path

import pytest

from tests.unit.policy.folders import a_folder, a_policy, a_rule, a_set, an_event, judge_raw, outcomes_of, problems_of


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ("{tenant: acme}", True),
        ("{tenant: Acme}", False),
        ("{tenant: ac}", False),
        ("{tenant: ac*}", True),
        ("{tenant: [beta, acme]}", True),
        ("{tenant: '*'}", True),
        ("{tenant: acme, channel: help}", False),
        ("{tenant: acme, channel: [help, gen*]}", True),
        ("{locale: EN_us}", True),
        ("{locale: en-*}", True),
        ("{locale: en}", False),
        ("{speaker: assistant}", True),
        ("{speaker: user}", False),
        ("{metadata.surface: web}", True),
        ("{metadata.surface: [ios, w*]}", True),
        ("{metadata.surface: ios}", False),
    ],
)
def test_a_policy_applies_where_every_line_fits(tmp_path: Path, scope: str, fits: bool) -> None:  # noqa: FBT001
    policies = a_set(tmp_path, a_policy(head=f"applies_to: {scope}"))

    judgement = judge_raw(policies, an_event(metadata={"surface": "web"}))

    assert (outcomes_of(judgement) != {}) is fits


@pytest.mark.parametrize("absent", [None, ""])
def test_a_missing_or_empty_field_brings_no_rule_in_and_spares_nobody(tmp_path: Path, absent: str | None) -> None:
    scoped = a_rule(name="scoped", more="applies_to: {locale: '*'}")
    spared = a_rule(name="spared", more="except: [{locale: '*'}]")
    policies = a_set(tmp_path, a_policy(scoped, spared))

    judgement = judge_raw(policies, an_event(locale=absent), safety=0.1)

    assert outcomes_of(judgement) == {"spared": "matched"}


def test_metadata_that_is_not_there_fits_nothing(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(head="applies_to: {metadata.surface: '*'}"))

    assert judge_raw(policies, an_event()).rules == []
    assert judge_raw(policies, an_event(metadata={"other": "web"})).rules == []


def test_rule_and_policy_must_both_apply(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(more="applies_to: {channel: help}"), head="applies_to: {tenant: acme}"))

    assert judge_raw(policies, an_event(channel="help")).rules != []
    assert judge_raw(policies, an_event(channel="general")).rules == []
    assert judge_raw(policies, an_event(channel="help", tenant="beta")).rules == []


def test_a_rule_that_is_off_is_not_listed(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(), a_rule(name="b", mode="off")))

    assert outcomes_of(judge_raw(policies)) == {"unsafe-reply": "not matched"}
    assert policies.rule_count == 1


def test_an_exception_spares_a_rule_that_lacks_its_score_too(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(more="except: [{role: staff}]")))

    judgement = judge_raw(policies, an_event(role="staff"), safety=None)

    assert (judgement.verdict, judgement.status, outcomes_of(judgement)) == (
        "allow",
        "degraded",
        {"unsafe-reply": "spared"},
    )


def test_a_speaker_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    problems = problems_of(a_folder(tmp_path, a_policy(head="applies_to: {speaker: [asistant, bot]}")))

    assert [problem.code for problem in problems] == ["P014", "P014"]
    assert problems[0].hint == 'did you mean "assistant"?'


def test_a_speaker_with_blanks_at_its_ends_is_reported_once(tmp_path: Path) -> None:
    (problem,) = problems_of(a_folder(tmp_path, a_policy(head='applies_to: {speaker: " assistant"}')))

    assert (problem.code, problem.hint) == ("P014", 'did you mean "assistant"?')


@pytest.mark.parametrize("tenant", ["acme ", " acme", "acme\\t"])
def test_blanks_at_the_ends_of_a_pattern_are_warned_of(tmp_path: Path, tenant: str) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(more=f'applies_to: {{tenant: "{tenant}"}}')))

    assert [(problem.level, problem.code) for problem in problems_of(folder)] == [("warning", "P025")]
