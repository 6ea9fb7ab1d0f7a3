import json
from pathlib import Path

import pytest

from moderator.policy.language.event_time import parse_time_ms
from moderator.policy.loader import check_folder
from tests.unit.policy.folders import POLICY, SIGNALS, a_calibration, a_folder, a_policy, a_rule, codes_of, problems_of


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


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("safety: in the highest 2%", ["P033"]),
        ("safety: in the lowest 2%", []),
        ("all: [safety: in the highest 2%, helpfulness: below 1]", []),
        ("all: [safety: in the lowest 2%, safety: above 0.5]", ["P051"]),
        ("all: [safety: in the lowest 2%, safety: in the highest 2%]", ["P051"]),
        ("all: [safety: in the lowest 50%, safety: in the highest 50%]", []),
        ("any: [safety: in the lowest 50%, safety: in the highest 50%]", ["P050"]),
        ("all: [usefulness: above 2, helpfulness: below 1]", ["P051"]),
        ("any: [usefulness: at most 2, helpfulness: above 2]", ["P050"]),
        ("any: [usefulness: at most 2, helpfulness: above 3]", []),
    ],
)
def test_percent_phrases_and_derived_signals_are_understood(tmp_path: Path, when: str, found: list[str]) -> None:
    assert codes(tmp_path, when) == found


WIDE = a_rule("safety: below 0.30", name="wide")


@pytest.mark.parametrize(
    ("rule", "is_covered"),
    [
        (a_rule("safety: below 0.20"), True),
        (a_rule("safety: below 0.30"), True),
        (a_rule("safety: below 0.31"), False),
        (a_rule("all: [safety: below 0.40, safety: at most 0.29]"), True),
        (a_rule("all: [safety: below 0.20, helpfulness: below 1]"), True),
        (a_rule("safety: in the lowest 2%"), True),
        (a_rule("safety: in the lowest 40%"), False),
        (a_rule("safety: missing"), False),
        (a_rule("helpfulness: below 1"), False),
        (a_rule("safety: below 0.20", mode="shadow"), True),
        (a_rule("safety: below 0.20", mode="off"), False),
        (a_rule("safety: below 0.20", flag="{severity: critical, reason: unsafe_content}"), False),
        (a_rule("safety: below 0.20", flag="{severity: medium, reason: unsafe_content}"), True),
        (a_rule("safety: below 0.20", flag="{severity: high, reason: low_quality}"), False),
        (a_rule("safety: below 0.20", flag="{severity: high, reason: unsafe_content, labels: [more]}"), False),
        (a_rule("safety: below 0.20", more="applies_to: {tenant: acme}"), True),
        (a_rule("safety: below 0.20", more="until: 2099-01-01"), True),
        (a_rule("safety: below 0.20", more="rollout: 25% of users"), True),
        (a_rule("safety: below 0.20", more="except: [{tenant: acme}]"), True),
    ],
)
def test_a_rule_that_another_covers_is_warned_of(
    tmp_path: Path,
    rule: str,
    is_covered: bool,  # noqa: FBT001 - a column of the table
) -> None:
    problems = problems_of(a_folder(tmp_path, a_policy(WIDE, rule)))

    covering = [problem.message.partition(" ")[0] for problem in problems if problem.code == "P054"]
    assert ("chat-safety/wide" in covering) is is_covered


@pytest.mark.parametrize(
    "more",
    [
        "applies_to: {tenant: acme}",
        "except: [{tenant: acme}]",
        "starts: 2026-10-01",
        "until: 2099-01-01",
        "rollout: 99% of users",
        "if_score_missing: allow",
    ],
)
def test_a_rule_is_not_covered_by_one_that_may_stay_away(tmp_path: Path, more: str) -> None:
    wide = a_rule("safety: below 0.30", name="wide", more=more)

    assert codes_of(a_folder(tmp_path, a_policy(wide, a_rule("safety: below 0.20")))) == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("applies_to: {tenant: acme}\nexcept: [{tenant: beta}]", ["P048"]),
        ("applies_to: {tenant: [acme, beta]}\nexcept: [{tenant: b*}]", []),
        ("applies_to: {tenant: acme}\nexcept: [{channel: help}, {channel: general, tenant: beta}]", ["P048"]),
    ],
)
def test_an_exception_that_can_spare_nothing_is_warned_of(tmp_path: Path, more: str, found: list[str]) -> None:
    assert codes(tmp_path, "safety: below 0.30", more) == found


@pytest.mark.parametrize(
    ("policy", "item", "found"),
    [
        ("{speaker: assistant}", "{speaker: assistant}", ["P051"]),
        ("{speaker: assistant}", "{speaker: '*'}", ["P051"]),
        ("{speaker: assistant, tenant: acme}", "{tenant: [acme, beta]}", ["P051"]),
        ("{speaker: assistant}", "{speaker: assistant, tenant: acme}", []),
        ("{tenant: [acme, beta]}", "{tenant: acme}", []),
    ],
)
def test_a_rule_that_spares_everybody_it_is_for_is_an_error(
    tmp_path: Path, policy: str, item: str, found: list[str]
) -> None:
    text = a_policy(a_rule(more=f"except: [{item}]"), head=f"applies_to: {policy}")

    assert codes_of(a_folder(tmp_path, text)) == found


@pytest.mark.parametrize(
    ("when", "code"),
    [("all: [safety: below 0.20, safety: above 0.30]", "P051"), ("any: [safety: below 1, safety: at least 1]", "P050")],
)
def test_a_rule_that_cannot_be_meant_covers_none_and_is_not_covered(tmp_path: Path, when: str, code: str) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(when, name="other"), a_rule("safety: below 0.20")))

    assert [code for code in codes_of(folder) if code != "P055"] == [code]


@pytest.mark.parametrize(
    ("limit", "found"),
    [("1", []), ("1.5", []), ("1.25", []), ("1.3", []), ("1.23", ["P038"]), ("1.225", ["P038"])],
)
def test_a_limit_finer_than_the_noise_is_warned_of(tmp_path: Path, limit: str, found: list[str]) -> None:
    # 0.01 of a reward is 0.05 points
    assert codes(tmp_path, f"helpfulness: below {limit}") == found


@pytest.mark.parametrize(
    ("noise", "written", "better"),
    [
        (0.01, "below 0.01", "below 0.05"),
        (0.01, "at least 3.99", "at least 3.95"),
        (0.2, "below 0.5", "below 1"),
        (0.3, "below 3", "below 2"),
    ],
)
def test_a_limit_that_the_noise_bears_is_named_within_the_scale(
    tmp_path: Path, noise: float, written: str, better: str
) -> None:
    calibration = json.dumps(a_calibration(noise={"helpsteer-helpfulness": noise}))
    rules = [a_rule(f"helpfulness: {phrase}", name=name) for name, phrase in (("a", written), ("b", better))]

    found = problems_of(a_folder(tmp_path, a_policy(*rules), calibration=calibration))

    assert [problem.hint for problem in found if problem.code in ("P038", "P055")] == [f"write {better}"]


def test_where_the_noise_is_as_wide_as_the_scale_no_limit_is_named(tmp_path: Path) -> None:
    calibration = json.dumps(a_calibration(noise={"helpsteer-helpfulness": 0.6}))

    (found,) = problems_of(a_folder(tmp_path, a_policy(a_rule("helpfulness: below 2")), calibration=calibration))

    assert (found.code, found.hint) == ("P038", "no limit on its scale is coarse enough")


def test_a_whole_number_may_be_too_fine_for_a_long_scale(tmp_path: Path) -> None:
    signals = SIGNALS.replace("multiply: 5, add: -0.5, low: 0, high: 4", "multiply: 100, low: 0, high: 100")
    calibration = json.dumps(a_calibration(noise={"helpsteer-helpfulness": 0.04}))
    rules = [a_rule(f"helpfulness: below {limit}", name=f"below-{limit}") for limit in (30, 31)]

    found = problems_of(a_folder(tmp_path, a_policy(*rules), signals=signals, calibration=calibration))

    assert [problem.hint for problem in found if problem.code == "P038"] == ["write below 30"]


@pytest.mark.parametrize(
    ("mode", "now", "found"),
    [
        ("live", "2026-12-31T23:59:59Z", []),
        ("live", "2027-01-01T00:00:00Z", ["P044"]),
        ("off", "2027-01-01T00:00:00Z", []),
    ],
)
def test_a_rule_that_is_over_is_warned_of_where_the_time_is_known(
    tmp_path: Path, mode: str, now: str, found: list[str]
) -> None:
    ending = a_rule("safety: below 0.20", name="ending", mode=mode, more="until: 2027-01-01")
    folder = a_folder(tmp_path, a_policy(ending, a_rule("honesty: missing")))

    _, problems = check_folder(folder, now_ms=parse_time_ms(now))

    assert [problem.code for problem in problems] == found
    assert codes_of(folder) == []


def a_calibrated_pair(folder: Path, when: str, *, is_reversed: bool) -> Path:
    """A folder for two models, of which one gives much higher scores than the other."""
    high = [0.6 + rank / 10_000 for rank in range(1001)]
    objectives = a_calibration()["quantiles"]
    other = {"name": "other", "fingerprint": "sha256:bbbb", "dtype": "float32"}
    calibration = json.dumps(a_calibration(model=other, quantiles=dict.fromkeys(objectives, high)))
    lines = ["  ArmoRM-Llama3-8B-v0.1: calibration/armorm.json\n", "  other: calibration/other.json\n"]
    signals = SIGNALS.replace(lines[0], "".join(reversed(lines) if is_reversed else lines))
    path = a_folder(folder, a_policy(a_rule(when)), signals=signals)
    (path / "calibration" / "other.json").write_text(calibration)
    return path


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("all: [{safety: in the lowest 2%}, {safety: above 0.5}]", []),
        ("all: [{safety: in the lowest 2%}, {safety: above 0.7}]", ["P051"]),
    ],
)
def test_a_rule_is_impossible_only_where_it_is_for_every_calibrated_model(
    tmp_path: Path,
    when: str,
    found: list[str],
    is_reversed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert codes_of(a_calibrated_pair(tmp_path, when, is_reversed=is_reversed)) == found


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(("limit", "found"), [("0.1", []), ("0.65", ["P054"])])
def test_a_rule_is_covered_only_where_it_is_for_every_calibrated_model(
    tmp_path: Path,
    limit: str,
    found: list[str],
    is_reversed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    path = a_calibrated_pair(tmp_path, f"safety: below {limit}", is_reversed=is_reversed)
    narrow = a_rule("safety: in the lowest 2%", name="narrow")
    (path / POLICY).write_text(a_policy(a_rule(f"safety: below {limit}"), narrow))

    assert codes_of(path) == found
