import json
from pathlib import Path

import pytest

from moderator.backtest.batches import Lines
from moderator.backtest.comparing import compare
from moderator.backtest.counting.examples import ExampleCondition
from moderator.backtest.labels import NO_LABELS, Labels
from moderator.backtest.report.text import backtest_text
from moderator.backtest.report.values import Matrix
from moderator.backtest.run import Plan
from moderator.policy import PolicySet
from tests.unit.backtest.decisions import USUAL, changed, counts_of, recorded, report_of, some_labels, some_recorded
from tests.unit.policy.folders import EXEMPTIONS, SETTINGS, SIGNALS, a_model, a_policy, a_rule, a_set

SAFETIES = [nth / 100 for nth in range(100)]


@pytest.fixture
def baseline(tmp_path: Path) -> PolicySet:
    return a_set(tmp_path / "baseline", a_policy(a_rule("safety: below 0.30")))


def a_candidate(tmp_path: Path, *rules: str, **files: str) -> PolicySet:
    return a_set(tmp_path / "candidate", a_policy(*rules), **files)


def test_flips_are_counted_overall_and_by_rule(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(
        tmp_path,
        a_rule("safety: below 0.20"),
        a_rule("safety: at least 0.95", name="too-safe"),
        a_rule("safety: below 0.50", name="wider", mode="shadow"),
    )

    report = report_of(baseline, candidate, some_recorded(baseline, SAFETIES))

    assert report.flips == Matrix(allow_allow=65, allow_flag=5, flag_allow=10, flag_flag=20)
    rules = {rule.rule.partition("/")[2]: rule for rule in report.rules}
    assert rules["unsafe-reply"].flips == Matrix(70, 0, 10, 20)
    assert rules["too-safe"].flips == Matrix(95, 5, 0, 0)
    assert (rules["wider"].baseline, rules["wider"].candidate, rules["wider"].watched) == (None, "shadow", 50)


def test_an_event_that_another_rule_flags_now_is_lost_by_the_one_and_gained_by_the_other(
    tmp_path: Path, baseline: PolicySet
) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.10"), a_rule("safety: below 0.30", name="wider"))

    report = report_of(baseline, candidate, some_recorded(baseline, SAFETIES))

    assert report.flips == Matrix(allow_allow=70, allow_flag=0, flag_allow=0, flag_flag=30)
    assert {rule.rule.partition("/")[2]: rule.flips for rule in report.rules} == {
        "unsafe-reply": Matrix(allow_allow=70, allow_flag=0, flag_allow=20, flag_flag=10),
        "wider": Matrix(allow_allow=70, allow_flag=30, flag_allow=0, flag_flag=0),
    }


def test_groups_are_counted_and_the_most_changed_come_first(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.40"))
    decisions = [
        *some_recorded(baseline, [0.1, 0.35, 0.9], tenant="acme", locale=None),
        *some_recorded(baseline, [0.35, 0.36], tenant="beta", locale="de"),
    ]

    report = report_of(baseline, candidate, decisions)

    tenants = [(group.value, group.flips) for group in report.groups["tenant"]]
    assert tenants == [("beta", Matrix(0, 2, 0, 0)), ("acme", Matrix(1, 1, 0, 1))]
    assert [group.value for group in report.groups["locale"]] == ["de", None]


def test_the_events_nearest_to_each_limit_are_named_without_text(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.50"))

    report = report_of(baseline, candidate, some_recorded(baseline, SAFETIES))

    (nearest,) = report.nearest
    assert [(near.event_id, near.margin) for near in nearest.events] == [
        ("evt-50", 0.0),
        ("evt-49", 0.01),
        ("evt-51", -0.01),
        ("evt-48", 0.02),
        ("evt-52", -0.02),
    ]
    assert "Hello." not in json.dumps(report.record)


def test_exceptions_that_exempted_no_event_are_reported(tmp_path: Path, baseline: PolicySet) -> None:
    rule = a_rule(more="except:\n  - {tenant: acme}\n  - {tenant: beta}")
    candidate = a_candidate(tmp_path, rule, exemptions=EXEMPTIONS)

    report = report_of(baseline, candidate, some_recorded(baseline, [0.1, 0.9], tenant="acme"))

    assert [unused.exception for unused in report.unused_exceptions] == ["except 2", "red-team-room"]


def test_a_budget_is_broken_by_more_than_its_share_and_not_by_its_share(tmp_path: Path, baseline: PolicySet) -> None:
    decisions = some_recorded(baseline, SAFETIES)
    kept = a_candidate(tmp_path / "kept", a_rule("safety: below 0.10", more="budget: {flag_share: at most 10%}"))
    broken = a_candidate(tmp_path / "broken", a_rule("safety: below 0.11", more="budget: {flag_share: at most 10%}"))

    budgets = [report_of(baseline, candidate, decisions).budgets[0] for candidate in (kept, broken)]

    assert [(budget.percent, budget.at_most_percent, budget.is_broken) for budget in budgets] == [
        (10.0, 10.0, False),
        (11.0, 10.0, True),
    ]


def test_labels_give_rates_only_from_thirty_on(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.29"))
    labels = some_labels(flag=range(29), allow=[29, *range(40, 60), 1_000])

    report = report_of(baseline, candidate, some_recorded(baseline, SAFETIES), labels=labels)

    assert report.labels is not None
    assert (report.labels.given, report.labels.unused) == (51, 1)
    flagged, allowed, *_ = report.labels.cells
    assert (flagged.events, flagged.labelled, flagged.deserve_flag.share) == (30, 30, 29 / 30)
    assert (allowed.events, allowed.labelled, allowed.deserve_flag.share) == (70, 20, None)
    assert [rate.share for rate in report.labels.precision] == [29 / 30, None]
    assert [rate.of for rate in report.labels.recall] == [29, 29]


def test_precision_and_recall_are_reported_for_each_set(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.50"))
    labels = some_labels(flag=range(40), allow=range(40, 100))

    report = report_of(baseline, candidate, some_recorded(baseline, SAFETIES), labels=labels)

    assert report.labels is not None
    assert [rate.share for rate in report.labels.precision] == [1.0, 0.8]
    assert [rate.share for rate in report.labels.recall] == [0.75, 1.0]


def test_of_two_labels_of_an_event_the_one_that_names_its_tenant_counts(baseline: PolicySet) -> None:
    of_any, of_its_tenant = (None, "evt-0"), ("acme", "evt-0")
    labels = Labels({of_any: "allow", of_its_tenant: "flag"})
    of_acme, of_beta = (some_recorded(baseline, [0.1], tenant=tenant) for tenant in ("acme", "beta"))

    reports = [report_of(baseline, baseline, decisions, labels=labels).labels for decisions in (of_acme, of_beta)]

    flagged = [report.cells[0] for report in reports if report]
    assert [(cell.labelled, cell.deserve_flag.count) for cell in flagged] == [(1, 1), (1, 0)]


def test_a_label_with_a_tenant_is_for_that_tenants_event(tmp_path: Path, baseline: PolicySet) -> None:
    labels = some_labels(flag=[0])
    of_acme = Labels({("acme", "evt-0"): "flag"})
    decisions = some_recorded(baseline, [0.1], tenant="beta")

    reports = [report_of(baseline, baseline, decisions, labels=each).labels for each in (labels, of_acme)]

    assert [report.unused for report in reports if report] == [0, 1]


def test_rules_that_are_neither_edited_nor_flag_other_events_are_folded(tmp_path: Path, baseline: PolicySet) -> None:
    old = a_set(tmp_path / "old", a_policy(a_rule(), a_rule("usefulness: below 0.1", name="same", mode="shadow")))
    new = a_candidate(
        tmp_path, a_rule("safety: below 0.20"), a_rule("usefulness: below 0.1", name="same", mode="shadow")
    )

    text = backtest_text(report_of(old, new, some_recorded(old, SAFETIES)))

    assert "chat-safety/same " not in text.partition("BY RULE")[2].partition("BY TENANT")[0]
    assert "\n  1 rule without a change\n" in text


def test_what_was_edited_comes_before_what_it_does_and_broken_budgets_before_kept_ones(
    tmp_path: Path, baseline: PolicySet
) -> None:
    budgets = [("kept", 100), ("broken", 1)]
    rules = [
        a_rule("safety: below 0.40", name=name, more=f"budget: {{flag_share: at most {share}%}}")
        for name, share in budgets
    ]

    report = report_of(baseline, a_candidate(tmp_path, *rules), some_recorded(baseline, SAFETIES))

    text = backtest_text(report)
    places = [text.index(f"\n{title}") for title in ("REPLAY FIDELITY", "EDITED", "BUDGETS", "FLIPS", "BY RULE")]
    assert places == sorted(places)
    assert [budget.rule for budget in report.budgets] == ["chat-safety/broken", "chat-safety/kept"]
    assert report.edited.claim == "can only flag more"
    assert "  renamed chat-safety/unsafe-reply -> chat-safety/kept, can only flag more\n" in text


def test_the_first_four_sections_are_there_without_content_too(baseline: PolicySet) -> None:
    text = backtest_text(report_of(baseline, baseline, some_recorded(baseline, [0.9])))

    assert "EDITED\n  nothing that changes a meaning\n" in text
    assert "BUDGETS (share of all events that the rule flags)\n  no rule of the candidate has a budget\n" in text
    assert "0 verdicts change" in text


def test_the_events_that_flip_are_shown_with_rules_signals_and_margins(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.60"))

    text = backtest_text(
        report_of(baseline, candidate, some_recorded(baseline, [nth / 1000 for nth in range(300, 400)]))
    )

    rows = [line.split() for line in text.splitlines() if line.startswith("  evt-") and "allow -> flag" in line]
    assert len(rows) == 50
    assert " ".join(rows[0]) == (
        "evt-99 allow -> flag chat-safety/unsafe-reply safety 0.399, below 0.60, holds by 0.201"
    )
    assert "  50 of 100 events are shown; `--json` has more\n" in text


def test_ids_of_any_kind_survive_into_the_report(baseline: PolicySet) -> None:
    decision = recorded(baseline, *USUAL, id="<b>\x1b[31m", tenant=None)

    report = report_of(baseline, baseline, [decision])

    assert report.nearest[0].events[0].event_id == "<b>\x1b[31m"


def test_what_steers_a_terminal_is_shown_escaped(baseline: PolicySet) -> None:
    red = "\x1b[31m"
    odd = recorded(baseline, *USUAL, id=red, tenant=red, decided_at=red, model=a_model(name=red))
    other = changed(odd, policy={"snapshot": red, "format": 1, "calibration": None})

    whole = backtest_text(report_of(baseline, baseline, [odd, other]))
    differing = backtest_text(report_of(baseline, baseline, [changed(odd, verdict=f"{red}\nBY RULE")]))

    assert (whole + differing).replace("\n", "").isprintable()
    assert "\nBY RULE" not in differing


def test_examples_of_flips_are_nearest_to_a_limit_first_with_the_rules_behind_them(
    tmp_path: Path, baseline: PolicySet
) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.25"), a_rule("helpfulness: above 3.0", name="helpful"))
    decisions = [
        *some_recorded(baseline, [0.1, 0.26, 0.29]),
        recorded(baseline, 0.9, 0.702, 0.6, 0.6, id="evt-helpful"),
    ]

    report = report_of(baseline, candidate, decisions)

    found = [(each.event_id, each.before, each.after, each.rules) for each in report.examples]
    assert found == [
        ("evt-helpful", "allow", "flag", ("chat-safety/helpful",)),
        ("evt-1", "flag", "allow", ("chat-safety/unsafe-reply",)),
        ("evt-2", "flag", "allow", ("chat-safety/unsafe-reply",)),
    ]
    assert report.examples[1].conditions == (
        ExampleCondition("chat-safety/unsafe-reply", "safety", "below 0.25", 0.26, -0.01),
    )


def test_a_rule_that_only_the_baseline_has_explains_the_flip_by_its_own_limit(
    tmp_path: Path, baseline: PolicySet
) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.10", name="other"))

    (example,) = report_of(baseline, candidate, some_recorded(baseline, [0.2])).examples

    assert example.rules == ("chat-safety/unsafe-reply",)
    assert [(each.phrase, each.margin) for each in example.conditions] == [("below 0.30", 0.1)]


def test_at_most_a_thousand_examples_are_kept_whichever_process_found_them(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.60"))
    near, far = some_recorded(baseline, [0.59] * 700), some_recorded(baseline, [0.4] * 700)
    here, there = counts_of(baseline, candidate, far), counts_of(baseline, candidate, near)

    here.merge(there)

    assert [each.distance > 0.1 for each in here.examples.kept] == [False] * 700 + [True] * 300


def test_the_same_comparison_is_made_from_code_as_by_the_command(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_candidate(tmp_path, a_rule("safety: below 0.60"))
    lines = some_recorded(baseline, SAFETIES)
    halves = [Lines("held", lines[:50], 50), Lines("held", lines[50:], 50)]
    done: list[int] = []

    report = compare(
        Plan(baseline, candidate, NO_LABELS),
        halves,
        source="decisions.jsonl",
        folders=("before", "after"),
        advance=done.append,
    )

    assert report == report_of(baseline, candidate, lines)
    assert done == [50, 50]


def test_actions_have_a_matrix_of_their_own(tmp_path: Path) -> None:
    settings = SETTINGS + "actions: [hold, remove]\n"

    def acting(name: str, *rules: tuple[str, str, str]) -> PolicySet:
        flags = [
            a_rule(when, name=rule, flag=f"{{severity: high, reason: unsafe_content, action: {action}}}")
            for rule, when, action in rules
        ]
        return a_set(tmp_path / name, a_policy(*flags), settings=settings)

    old = acting("old", ("unsafe", "safety: below 0.30", "hold"))
    new = acting("new", ("unsafe", "safety: below 0.30", "hold"), ("worst", "safety: below 0.10", "remove"))

    report = report_of(old, new, some_recorded(old, SAFETIES))

    assert {(each.before, each.after): each.events for each in report.actions if each.events} == {
        (None, None): 70,
        ("hold", "hold"): 20,
        ("hold", "remove"): 10,
    }
    rows = [" ".join(line.split()) for line in backtest_text(report).splitlines()]
    assert "candidate none candidate hold candidate remove" in rows
    assert "baseline hold 0 20 10" in rows


def test_a_set_without_actions_has_no_matrix_of_them(baseline: PolicySet) -> None:
    assert report_of(baseline, baseline, some_recorded(baseline, [0.1])).actions == ()


def test_a_fact_that_the_candidate_adds_is_read_from_what_events_echo(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = reading_age(tmp_path)
    decisions = [
        recorded(baseline, *USUAL, id="young", metadata={"age_h": 23}),
        recorded(baseline, *USUAL, id="old", metadata={"age_h": 24}),
        recorded(baseline, *USUAL, id="unknown"),
    ]

    report = report_of(baseline, candidate, decisions)

    assert [each.event_id for each in report.examples] == ["young"]
    assert report.events.without_numbers == 0


def test_decisions_from_before_numbers_were_kept_are_counted(tmp_path: Path, baseline: PolicySet) -> None:
    older = [
        json.dumps({name: value for name, value in json.loads(each).items() if name != "action"}).encode()
        for each in some_recorded(baseline, [0.9, 0.8])
    ]

    report = report_of(baseline, reading_age(tmp_path), [*older, *some_recorded(baseline, [0.7])])

    assert report.events.without_numbers == 2
    assert "2 events were recorded before numbers in metadata were kept" in backtest_text(report)


def reading_age(tmp_path: Path) -> PolicySet:
    fact = "  account-age: {about: Its age, from_event: metadata.age_h, scale: {low: 0, unit: hours}, good: high}\n"
    return a_set(
        tmp_path / "candidate",
        a_policy(a_rule(), a_rule("account-age: below 24", name="young")),
        settings=f"{SETTINGS}if_fact_missing: allow\n",
        signals=f"{SIGNALS}{fact}",
    )
