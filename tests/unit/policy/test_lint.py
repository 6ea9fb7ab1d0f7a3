from pathlib import Path

import pytest

from tests.unit.policy.folders import a_folder, a_policy, a_rule, codes_of


def codes(folder: Path, when: str, more: str = "") -> list[str]:
    return codes_of(a_folder(folder, a_policy(a_rule(when, more=more))))


@pytest.mark.parametrize(
    ("when", "more"),
    [
        ("all: [safety: below 0.30, safety: at least 0.30]", ""),
        ("all: [safety: at most 0.30, helpfulness: below 1.0, safety: above 0.30]", ""),
        ("all: [safety: missing, safety: below 0.30]", ""),
        ("safety: below 0.30", "unless: {safety: below 0.30}"),
        ("safety: below 0.30", "unless: {any: [safety: at most 0.30, helpfulness: above 3.0]}"),
        ("any: [all: [safety: below 0.3, safety: above 0.3], all: [helpfulness: below 1, helpfulness: above 2]]", ""),
        ("helpfulness: missing", "unless: {helpfulness: missing}"),
    ],
)
def test_a_rule_that_can_never_match_is_an_error(tmp_path: Path, when: str, more: str) -> None:
    assert codes(tmp_path, when, more) == ["P051"]


@pytest.mark.parametrize(
    ("policy", "rule", "found"),
    [
        ("{speaker: assistant}", "{speaker: user}", ["P051"]),
        ("{tenant: [acme, beta]}", "{tenant: [gamma, delta-*]}", ["P051"]),
        ("{tenant: a*}", "{tenant: b*}", ["P051"]),
        ("{tenant: a*}", "{tenant: acme}", []),
        ("{tenant: acme}", "{tenant: '*'}", []),
        ("{tenant: ac*}", "{tenant: acme-*}", []),
        ("{tenant: acme}", "{channel: help}", []),
    ],
)
def test_a_rule_that_its_policy_shuts_out_is_an_error(tmp_path: Path, policy: str, rule: str, found: list[str]) -> None:
    text = a_policy(a_rule(more=f"applies_to: {rule}"), head=f"applies_to: {policy}")

    assert codes_of(a_folder(tmp_path, text)) == found


@pytest.mark.parametrize(
    "when",
    ["any: [safety: below 0.50, safety: at least 0.50]", "any: [safety: at most 0.6, safety: above 0.4]"],
)
def test_a_rule_that_always_matches_is_an_error(tmp_path: Path, when: str) -> None:
    assert codes(tmp_path, when) == ["P050"]


@pytest.mark.parametrize(
    ("when", "more"),
    [
        ("all: [safety: at most 0.30, safety: at least 0.30]", ""),
        ("all: [safety: at least 0.30, safety: below 0.300001]", ""),
        ("any: [safety: below 0.30, safety: missing]", ""),
        ("safety: at most 0.30", "unless: {safety: below 0.30}"),
        ("helpfulness: missing", "unless: {safety: below 0.30}"),
        ("safety: below 0.0", ""),
    ],
)
def test_a_rule_that_some_scores_satisfy_is_not_objected_to(tmp_path: Path, when: str, more: str) -> None:
    assert codes(tmp_path, when, more) == []


@pytest.mark.parametrize(
    ("when", "warns"),
    [
        ("safety: above 0.90", True),
        ("any: [safety: at least 0.90, helpfulness: above 3.0]", True),
        ("all: [safety: below 0.30, helpfulness: above 3.0]", False),
        ("safety: missing", False),
    ],
)
def test_flagging_only_what_scores_best_is_warned_of(tmp_path: Path, when: str, warns: bool) -> None:  # noqa: FBT001
    assert codes(tmp_path, when) == (["P033"] if warns else [])


def test_a_rule_of_many_signals_is_still_answered_at_once(tmp_path: Path) -> None:
    limits = [f"{signal}: below 0.{n:02}" for signal in ("safety", "helpfulness", "correctness") for n in range(5, 45)]
    lines = "\n".join(f"  - {limit}" for limit in limits)

    assert set(codes(tmp_path, f"any:\n{lines}")) <= {"P038"}


@pytest.mark.parametrize(("severity", "warns"), [("high", True), ("critical", True), ("medium", False)])
def test_a_severe_rule_limited_to_a_field_that_may_be_absent_is_warned_of(
    tmp_path: Path,
    severity: str,
    warns: bool,  # noqa: FBT001
) -> None:
    flag = f"{{severity: {severity}, reason: unsafe_content}}"
    folder = a_folder(tmp_path, a_policy(a_rule(flag=flag, more="applies_to: {role: member}")))

    assert codes_of(folder) == (["P052"] if warns else [])
