from pathlib import Path

import pytest

from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    SETTINGS,
    a_folder,
    a_set,
    an_event,
    codes_of,
    judge_raw,
    result_of,
)

UNSAFE = "chat-safety/unsafe-reply"


def test_the_last_exemption_may_be_removed(tmp_path: Path) -> None:
    settings = SETTINGS.replace("exemption_limit: 90 days\n", "")

    assert codes_of(a_folder(tmp_path, CHAT_SAFETY, settings=settings, exemptions="exemptions: []\n")) == []


def test_exemptions_want_a_limit(tmp_path: Path) -> None:
    settings = SETTINGS.replace("exemption_limit: 90 days\n", "")

    assert codes_of(a_folder(tmp_path, CHAT_SAFETY, settings=settings, exemptions=EXEMPTIONS)) == ["P020"]


@pytest.mark.parametrize("limit", ["0 days", "90", "ninety days", "1.5 days", "-1 days", "[90 days]"])
def test_a_limit_is_a_count_of_days(tmp_path: Path, limit: str) -> None:
    settings = SETTINGS.replace("90 days", limit)

    assert len(codes_of(a_folder(tmp_path, CHAT_SAFETY, settings=settings))) == 1


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("exemption: red-team-room", "exemption: Red team", "P016"),
        ("    owner: security@example.com\n", "", "P020"),
        ("    about: The security team provokes unsafe replies here on purpose.\n", "", "P020"),
        ("    applies_to: {tenant: acme, channel: red-team}\n", "", "P020"),
        ("{tenant: acme, channel: red-team}", "{}", "P020"),
        ("{tenant: acme, channel: red-team}", "{user: user-5}", "P012"),
        ("[chat-safety/unsafe-reply]", "chat-safety/unsafe-reply", "P022"),
        ("[chat-safety/unsafe-reply]", "[]", "P020"),
        ("added: 2026-09-20", "added: 2026-12-15", "P042"),
        ("added: 2026-09-20", "added: 2026-09-15", "P046"),
        ("added: 2026-09-20", "added: once", "P041"),
        ("    added", "    adde", "P011"),
    ],
)
def test_whatever_an_exemption_lacks_is_reported(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in EXEMPTIONS

    assert code in codes_of(a_folder(tmp_path, CHAT_SAFETY, exemptions=EXEMPTIONS.replace(old, new)))


def test_a_limit_that_is_wrong_is_not_reported_as_absent(tmp_path: Path) -> None:
    settings = SETTINGS.replace("90 days", "90")

    assert codes_of(a_folder(tmp_path, CHAT_SAFETY, settings=settings, exemptions=EXEMPTIONS)) == ["P023"]


def test_two_exemptions_have_two_names(tmp_path: Path) -> None:
    twice = EXEMPTIONS + EXEMPTIONS.removeprefix("exemptions:\n")

    assert codes_of(a_folder(tmp_path, CHAT_SAFETY, exemptions=twice)) == ["P015"]


def test_an_exemption_of_what_is_off_or_never_applies_there_is_warned_of(tmp_path: Path) -> None:
    off = CHAT_SAFETY.replace(
        "mode: live\n    when:\n      safety: below 0.30", "mode: off\n    when:\n      safety: below 0.30"
    )
    elsewhere = EXEMPTIONS.replace("unsafe-reply", "useless-and-doubtful")

    assert codes_of(a_folder(tmp_path / "a", off, exemptions=EXEMPTIONS)) == ["P048"]
    assert codes_of(a_folder(tmp_path / "b", CHAT_SAFETY, exemptions=elsewhere)) == ["P048"]


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        ("starts: 2026-12-15", ["P048"]),
        ("starts: 2026-12-14", []),
        ("until: 2026-09-20", ["P048"]),
        ("until: 2026-09-21", []),
    ],
)
def test_an_exemption_at_no_time_at_which_the_rule_is_in_force_is_warned_of(
    tmp_path: Path, schedule: str, found: list[str]
) -> None:
    policy = CHAT_SAFETY.replace("mode: live\n", f"mode: live\n    {schedule}\n", 1)

    assert codes_of(a_folder(tmp_path, policy, exemptions=EXEMPTIONS)) == found


def test_a_rules_own_exception_comes_before_an_exemption(tmp_path: Path) -> None:
    policy = CHAT_SAFETY.replace("safety: below 0.30\n", "safety: below 0.30\n    except: [{channel: red-team}]\n", 1)
    policies = a_set(tmp_path, policy, exemptions=EXEMPTIONS)

    judgement = judge_raw(policies, an_event(channel="red-team"), safety=0.1)

    assert result_of(judgement, UNSAFE)["spared_by"] == "except 1"


def test_an_exemption_spares_from_a_missing_score_too_and_leaves_other_rules_alone(tmp_path: Path) -> None:
    policies = a_set(tmp_path, CHAT_SAFETY, exemptions=EXEMPTIONS)

    judgement = judge_raw(policies, an_event(channel="red-team"), safety=None)

    assert result_of(judgement, UNSAFE)["outcome"] == "spared"
    assert result_of(judgement, "chat-safety/stricter-safety")["outcome"] == "unknown"
    assert (judgement.verdict, judgement.shadow_verdict) == ("allow", "flag")
