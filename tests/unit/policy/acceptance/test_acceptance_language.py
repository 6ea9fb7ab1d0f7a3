"""The acceptance list of facts, actions, tags and rules without conditions.

A test is named by what must hold; the number at its end is that of the case in the list, and a case may take several
tests. Elsewhere are those on words, patterns, links and measures (with the text's tests), that of Kafka's headers (30)
in test_sender.py, and those of `policy diff`, `init`, `status` and drafts with the tools.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from moderator.backtest.decision import read_decision, schema_fault
from moderator.cli.policy import app
from moderator.cli.policy.explaining.deciding_again import difference_by_snapshot
from moderator.events import Decision
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import PolicySet, load_policies
from moderator.policy.authoring.applicability import NotApplicable, not_applicable
from moderator.policy.authoring.decision_text import decision_text
from moderator.policy.authoring.test_tools.mutate import mutate
from moderator.policy.authoring.test_tools.suggest import suggest
from moderator.policy.loader import check_folder
from moderator.policy.test_runner import run_tests
from tests.builders import a_model, a_record, a_scored_event, some_scores, write_files
from tests.unit.policy import folders
from tests.unit.policy.community import (
    NEWCOMERS,
    SETTINGS,
    SIGNALS,
    TEXTS,
    a_community,
    a_rule,
    an_event,
    community_files,
    decide,
    done,
    outcomes,
    why_missing,
    with_rules,
)

FLAG = "flag: {severity: medium, reason: spam}"
MEMBERS = "applies_to: {role: member, channel: general}"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return a_community(tmp_path_factory.mktemp("policies"))


def codes(folder: Path) -> list[str]:
    return [problem.code for problem in check_folder(folder)[1] if problem.level == "error"]


@pytest.mark.parametrize(
    ("age", "what"), [("23.999999", "hold"), ("24", "allow"), ('"23"', "hold"), ('" 23 "', "hold")]
)
def test_a_fact_is_compared_like_a_score_case_01(policies: PolicySet, age: str, what: str) -> None:
    assert done(decide(policies, f'{{"account_age_h": {age}}}')) == what


@pytest.mark.parametrize(
    ("metadata", "cause"),
    [
        ("{}", "absent"),
        ('{"account_age_h": null}', "absent"),
        ('{"account_age_h": ""}', "absent"),
        ('{"account_age_h": [3]}', "absent"),
        ('{"account_age_h": true}', "not_a_number"),
        ('{"account_age_h": "3 hours"}', "not_a_number"),
        ('{"account_age_h": "1e0"}', "not_a_number"),
        ('{"account_age_h": "1,5"}', "not_a_number"),
        ('{"account_age_h": "\u0663"}', "not_a_number"),
        ('{"account_age_h": ".5"}', "not_a_number"),
    ],
)
def test_a_missing_fact_makes_its_rule_unknown_case_02(
    policies: PolicySet, metadata: str, cause: str, tmp_path: Path
) -> None:
    strict = a_community(tmp_path, settings=SETTINGS.replace("if_fact_missing: allow", "if_fact_missing: flag"))

    by_allow, by_flag = decide(policies, metadata), decide(strict, metadata)

    assert (by_allow["verdict"], by_allow["status"], outcomes(by_allow)["young-account"]) == (
        "allow",
        "scored",
        "unknown",
    )
    assert why_missing(by_allow, "account-age") == cause
    assert (by_flag["verdict"], by_flag["status"]) == ("flag", "scored")
    assert by_flag["reasons"] == ["fact_missing"]


def test_a_missing_fact_is_counted_whatever_the_status_case_02(policies: PolicySet) -> None:
    facts = {"account-age", "karma", "reports", "scam-words", "links"}

    scored, unscored = (encode(decide(policies, safety=safety), facts).missing_scores for safety in (0.9, None))

    assert scored == unscored
    assert ("account-age", "absent") in unscored
    assert "safety" not in {signal for signal, _ in unscored}


@pytest.mark.parametrize(
    ("age", "what", "cause"),
    [
        ("-5", "hold", None),
        ("0", "hold", None),
        ("1e6", "allow", None),
        ("1e12", "allow", "implausible"),
        ("1000000000.0000004", "allow", None),
        ("-1000000001", "allow", "implausible"),
        ("1e400", "allow", "absent"),
        ('"' + "9" * 5_000 + '"', "allow", "implausible"),
        ('"0.' + "0" * 5_000 + '1"', "hold", None),
    ],
)
def test_a_fact_may_be_any_number_up_to_a_thousand_million_case_03(
    policies: PolicySet, age: str, what: str, cause: str | None
) -> None:
    decision = decide(policies, f'{{"account_age_h": {age}}}')

    assert done(decision) == what
    assert why_missing(decision, "account-age") == cause


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('"2.0000005"', 2.0),
        ('"2.0000015"', 2.000002),
        ("2.0000014", 2.000001),
        ('"-0.0000005000000000000000001"', -1e-6),
    ],
)
def test_a_fact_is_rounded_once_to_six_decimals_half_to_even_case_03(
    policies: PolicySet, sent: str, kept: float
) -> None:
    assert decide(policies, f'{{"karma": {sent}}}')["scores"]["signals"]["karma"] == kept


def test_numbers_of_the_metadata_are_echoed_as_given_case_04(policies: PolicySet) -> None:
    decision = decide(policies, '{"karma": 9007199254740993, "a": true, "b": [1], "c": null, "d": 2.5}')

    assert b'"metadata":{"karma":9007199254740993,"a":true,"d":2.5}' in encode(decision).value


@pytest.mark.parametrize(
    ("level", "applies"),
    [("3", True), ("3.0", True), ('"3"', True), ("3.5", False), ("true", False), ("30", False), ("null", False)],
)
def test_a_whole_number_is_matched_as_its_digits_case_05(tmp_path: Path, level: str, *, applies: bool) -> None:
    rule = a_rule("level", "", FLAG, more='applies_to: {metadata.level: "3"}')
    settings = SETTINGS.replace("metadata.kind", "metadata.level")
    policies = a_community(tmp_path, settings=settings, newcomers=with_rules(rule), texts=None)

    assert (decide(policies, f'{{"level": {level}}}')["verdict"] == "flag") == applies


@pytest.mark.parametrize(("value", "word"), [("true", "true"), ("false", "false")])
def test_true_and_false_are_matched_as_these_words_case_05(tmp_path: Path, value: str, word: str) -> None:
    rule = a_rule("kind", "", FLAG, more=f'applies_to: {{metadata.kind: "{word}"}}')
    policies = a_community(tmp_path, newcomers=with_rules(rule), texts=None)

    assert decide(policies, f'{{"kind": {value}}}')["verdict"] == "flag"


@pytest.mark.parametrize(("karma", "verdict"), [("-8", "allow"), ("-9", "flag"), ("250000", "allow"), ("1e9", "allow")])
def test_a_fact_has_its_own_range_case_06(tmp_path: Path, karma: str, verdict: str) -> None:
    rule = a_rule("troublemaker", "{karma: below -8}", FLAG)
    policies = a_community(tmp_path, newcomers=with_rules(rule), texts=None)

    assert decide(policies, f'{{"karma": {karma}}}')["verdict"] == verdict


def test_a_fact_takes_no_conversion_and_no_percent_phrase_case_06(tmp_path: Path) -> None:
    converted = community_files(tmp_path / "a", signals=SIGNALS.replace("scale: {}", "scale: {multiply: 2}"))
    percent = with_rules(a_rule("few", "{karma: in the lowest 2%}", FLAG))

    assert codes(converted) == ["P028"]
    assert codes(community_files(tmp_path / "b", newcomers=percent, texts=None)) == ["P027"]


@pytest.mark.parametrize(
    ("fields", "outcome", "action"),
    [
        ({"channel": "news-today"}, "matched", "remove"),
        ({"channel": "general"}, None, None),
        ({"channel": None}, None, None),
        ({"channel": "news-today", "role": "staff"}, "spared", None),
    ],
)
def test_a_rule_without_conditions_matches_what_it_is_for_case_22(
    policies: PolicySet, fields: dict[str, Any], outcome: str | None, action: str | None
) -> None:
    decision = decide(policies, **fields)

    assert (outcomes(decision).get("announcements-only"), decision["action"]) == (outcome, action)
    assert all(each["conditions"] == [] for each in decision["rules"] if each["rule"].endswith("announcements-only"))


SCAM = '{"scam_words": 1, "links": 1}'


def test_rules_that_need_no_score_judge_unscored_events_case_23(policies: PolicySet, tmp_path: Path) -> None:
    by_allow = decide(policies, SCAM, safety=None)
    by_flag = decide(
        a_community(tmp_path, settings=SETTINGS.replace("unscored: allow", "unscored: flag")), SCAM, safety=None
    )

    assert (by_allow["verdict"], by_allow["status"], by_allow["severity"]) == ("flag", "unscored", "high")
    assert (by_allow["reasons"], by_allow["action"], by_allow["queues"]) == (["spam", "unscored"], "remove", ["spam"])
    assert (by_flag["reasons"], by_flag["severity"], by_flag["action"]) == (["spam", "unscored"], "high", "remove")


def test_if_unscored_speaks_alone_where_no_such_rule_matches_case_23(policies: PolicySet) -> None:
    decision = decide(policies, '{"scam_words": 0, "links": 0, "account_age_h": 30, "reports": 0}', safety=None)

    assert (decision["verdict"], decision["reasons"], decision["action"]) == ("allow", ["unscored"], None)
    assert outcomes(decision) == {"scam": "not matched", "young-account": "not matched", "reported": "not matched"}
    assert decision["scores"]["signals"]["account-age"] == 30.0
    assert decision["scores"]["signals"]["safety"] is None


def test_a_rule_that_needs_a_score_says_nothing_of_unscored_events_case_24(tmp_path: Path) -> None:
    rules = with_rules(
        a_rule("either", "{any: [{scam-words: at least 1}, {safety: below 0.3}]}", FLAG),
        a_rule("both", "{all: [{scam-words: at least 1}, {safety: below 0.3}]}", FLAG, more="if_score_missing: flag"),
        a_rule("missing", "{safety: missing}", FLAG),
        a_rule("ended", "{safety: below 0.3}", FLAG, more="until: 2020-01-01"),
    )
    policies = a_community(tmp_path, newcomers=rules, texts=None)

    scam, hello = (decide(policies, f'{{"scam_words": {count}}}', safety=None) for count in (1, 0))

    assert (outcomes(scam), scam["verdict"], scam["reasons"]) == ({"either": "matched"}, "flag", ["spam", "unscored"])
    assert (outcomes(hello), hello["verdict"], hello["reasons"]) == ({"both": "not matched"}, "allow", ["unscored"])
    unknown = [each for each in hello["rules"][0]["conditions"] if each["signal"] == "safety"]
    assert [(each["holds"], each.get("cause")) for each in unknown] == [(None, "absent")]


def test_the_strongest_action_counts_case_25(tmp_path: Path) -> None:
    rules = with_rules(
        a_rule("first", "{karma: below 0}", "flag: {severity: low, reason: spam, action: remove, queue: spam}"),
        a_rule("second", "{karma: below 0}", "flag: {severity: high, reason: clutter, action: hold, queue: care}"),
        a_rule("third", "{karma: below -9}", "flag: {severity: low, reason: spam, action: ban}", mode="shadow"),
        a_rule("fourth", "{karma: below -99}", "flag: {severity: low, reason: spam}"),
    )
    policies = a_community(tmp_path, newcomers=rules, texts=None)

    mild, hard = (decide(policies, f'{{"karma": {karma}}}') for karma in (-1, -100))

    assert (mild["action"], mild["queues"], mild["shadow_action"]) == ("remove", ["care", "spam"], "remove")
    assert (hard["action"], hard["shadow_action"], hard["severity"]) == ("remove", "ban", "high")


def test_a_shadow_action_shows_what_would_be_done_case_25(tmp_path: Path) -> None:
    rules = with_rules(
        a_rule("held", "{karma: below 0}", "flag: {severity: low, reason: spam, action: hold}"),
        a_rule("banned", "{karma: below 0}", "flag: {severity: low, reason: spam, action: ban}", mode="shadow"),
    )

    decision = decide(a_community(tmp_path, newcomers=rules, texts=None), '{"karma": -1}')

    assert (decision["action"], decision["shadow_action"]) == ("hold", "ban")


def test_a_tag_changes_nothing_but_the_labels_case_26(policies: PolicySet) -> None:
    decision = decide(policies, '{"reports": 2, "account_age_h": 30}')

    assert (decision["verdict"], decision["labels"], decision["reasons"]) == ("allow", ["reported"], [])
    assert (decision["shadow_verdict"], decision["severity"], decision["action"]) == ("allow", None, None)
    (result,) = (each for each in decision["rules"] if each["rule"] == "newcomers/reported")
    assert (result["severity"], result["tags"], result["counted"]) == (None, ["reported"], True)


def test_a_shadow_tag_and_an_unknown_one_tag_nothing_case_27(tmp_path: Path) -> None:
    rules = with_rules(
        a_rule("watched", "{reports: at least 1}", "tag: [watched]", mode="shadow"),
        a_rule("unknown", "{karma: below 0}", "tag: [unknown]", more="if_fact_missing: flag"),
        a_rule("unsafe", "{safety: below 0.3}", "tag: [unsafe]", more="if_score_missing: flag"),
    )

    decision = decide(a_community(tmp_path, newcomers=rules, texts=None), '{"reports": 2}')

    assert (decision["labels"], decision["verdict"], decision["shadow_verdict"]) == ([], "allow", "allow")
    assert outcomes(decision) == {"watched": "matched", "unknown": "unknown", "unsafe": "not matched"}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (a_rule("a", "{karma: below 0}", "tag: [x]", more="budget: {flag_share: at most 1%}"), "P057"),
        (a_rule("a", "{karma: below 0}", f"tag: [x]\n    {FLAG}"), "P057"),
        (a_rule("a", "{karma: below 0}", "owner: none").replace("    owner: none\n", ""), "P020"),
        (a_rule("a", "", FLAG), "P056"),
        (a_rule("a", "", FLAG, more="applies_to: {speaker: user}"), "P056"),
    ],
)
def test_what_a_rule_says_must_be_one_thing_and_for_some_events_case_27(tmp_path: Path, rule: str, code: str) -> None:
    assert codes(community_files(tmp_path, newcomers=with_rules(rule), texts=None)) == [code]


def test_unless_may_stand_alone_case_27(tmp_path: Path) -> None:
    rule = a_rule("untrusted", "", FLAG, more="unless: {karma: at least 100}")
    policies = a_community(tmp_path, newcomers=with_rules(rule), texts=None)

    found = [decide(policies, metadata) for metadata in ('{"karma": 99}', '{"karma": 100}', "{}")]

    assert [outcomes(each)["untrusted"] for each in found] == ["matched", "not matched", "unknown"]
    assert [each["verdict"] for each in found] == ["flag", "allow", "allow"]


@pytest.mark.parametrize(
    ("settings", "flag", "code", "hint"),
    [
        (SETTINGS, "action: delete", "P019", "in its place: mildest first, now alert, hold, remove, ban"),
        (SETTINGS, "queue: nobody", "P019", "settings.yaml line 9: queues: [spam, newcomers, care, nobody]"),
        (
            SETTINGS.replace("[alert, hold, remove, ban]", "[alert, hold, remove, ban, hold]"),
            "action: hold",
            "P015",
            "rename",
        ),
    ],
)
def test_actions_and_queues_are_declared_once_case_28(
    tmp_path: Path, settings: str, flag: str, code: str, hint: str
) -> None:
    rule = a_rule("a", "{karma: below 0}", f"flag: {{severity: low, reason: spam, {flag}}}")
    folder = community_files(tmp_path, settings=settings, newcomers=with_rules(rule), texts=None)

    (problem,) = (each for each in check_folder(folder)[1] if each.level == "error")

    assert problem.code == code
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("locale", "shown"),
    [("de-AT", "de"), ("de_AT", "de"), ("de-Latn-AT", "de"), ("DE", "de"), ("fr", "en"), (None, "en"), ("", "en")],
)
def test_people_are_notified_in_their_language_case_29(policies: PolicySet, locale: str | None, shown: str) -> None:
    decision = decide(policies, '{"account_age_h": 3}', locale=locale)

    (notice,) = decision["notify"]
    assert (notice["to"], notice["key"], notice["locale"]) == ("user", "young-account", shown)
    assert f"    {shown}: {notice['text']}\n" in TEXTS


def test_all_that_several_rules_notify_is_listed_once(tmp_path: Path) -> None:
    then = "flag: {{severity: medium, reason: new_account, notify: {{{}: young-account}}}}"
    to = {"first": "user", "second": "moderators", "third": "user"}
    rules = [a_rule(name, "{account-age: below 24}", then.format(whom)) for name, whom in to.items()]

    decision = decide(a_community(tmp_path, newcomers=with_rules(*rules)), '{"account_age_h": 3}')

    assert [(notice["to"], notice["key"]) for notice in decision["notify"]] == [
        ("moderators", "young-account"),
        ("user", "young-account"),
    ]


def test_people_are_notified_of_an_unscored_event_in_their_language_too(policies: PolicySet) -> None:
    decision = decide(policies, '{"account_age_h": 3}', safety=None, locale="de-AT")

    assert [(notice["key"], notice["locale"]) for notice in decision["notify"]] == [("young-account", "de")]


def test_a_product_may_have_its_own_texts_case_29(tmp_path: Path) -> None:
    decision = decide(a_community(tmp_path, texts=None), '{"account_age_h": 3}')

    assert decision["notify"] == [{"to": "user", "key": "young-account", "text": None, "locale": None}]


def test_an_unknown_text_is_an_error_case_29(tmp_path: Path) -> None:
    folder = community_files(tmp_path, newcomers=NEWCOMERS.replace("user: young-account", "user: welcome"))

    assert codes(folder) == ["P058"]


def test_a_cut_message_is_flagged_without_an_action_case_31(policies: PolicySet) -> None:
    cut, scam = (decide(policies, metadata, cut="message") for metadata in ('{"reports": 1}', SCAM))

    assert (cut["verdict"], cut["reasons"], cut["severity"]) == ("flag", ["truncated"], "medium")
    assert (cut["action"], cut["queues"], cut["labels"]) == (None, [], ["reported"])
    assert (scam["reasons"], scam["action"]) == (["spam"], "remove")


RECORDED = Path(__file__).with_name("recorded") / "before-facts.jsonl"
"""Made by the release before facts, of the first part's folder: dated, exempted, unscored, cut and in passages."""


def test_an_older_folder_keeps_its_snapshot_and_decides_again_as_recorded_case_44(tmp_path: Path) -> None:
    policies = folders.a_set(tmp_path, folders.CHAT_SAFETY, exemptions=folders.EXEMPTIONS)
    decisions = [read_decision(line) for line in RECORDED.read_bytes().splitlines()]

    faults = [fault for decision in decisions if (fault := schema_fault(decision))]
    differences = [difference_by_snapshot(decision, policies) for decision in decisions]

    assert faults == []
    assert policies.snapshot == decisions[0]["policy"]["snapshot"]
    assert differences == [None] * len(decisions)
    assert {decision["status"] for decision in decisions} == {"scored", "degraded", "unscored"}


@pytest.mark.parametrize(("column", "value"), [("action", "ban"), ("queues", ["care"]), ("shadow_action", "ban")])
def test_a_decision_that_says_something_else_to_do_is_not_reproduced_case_44(
    policies: PolicySet, column: str, value: object
) -> None:
    decision = decide(policies, '{"account_age_h": 3}')

    same = difference_by_snapshot(decision, policies)
    other = difference_by_snapshot(replaced(decision, column, value), policies)

    assert same is None
    assert other is not None
    assert other.startswith(f"{column}: recorded ")


def replaced(decision: Decision, key: str, value: object) -> Decision:
    return read_decision(orjson.dumps({**decision, key: value}))


TESTS = """\
tests_for: newcomers
tests:
  - test: a new account waits
    given:
      event: {speaker: user, channel: general, metadata.account_age_h: 23.5, metadata.karma: "7"}
      scores: {safety: 0.9}
    expect:
      verdict: flag
      action: hold
      queues: [newcomers]
      labels: []
      notify: {user: young-account}
      rules: {young-account: matched, scam: unknown}
  - test: an older one does not, and a moderator never
    given: {event: {speaker: user, role: moderator}, scores: {safety: 0.9, account-age: 3}}
    expect: {verdict: allow, action: none, queues: [], notify: [], rules: {young-account: spared}}
"""


def test_tests_give_facts_and_expect_what_is_to_be_done_case_45(tmp_path: Path) -> None:
    results = run_tests(with_tests(tmp_path, TESTS))

    assert [result.mismatches for result in results] == [(), ()]


@pytest.mark.parametrize(
    ("was", "now", "what", "expected", "got"),
    [
        ("action: hold", "action: remove", "action", "remove", "hold"),
        ("action: none", "action: ban", "action", "ban", "none"),
        ("queues: [newcomers]", "queues: [spam]", "queues", "spam", "newcomers"),
        ("labels: []", "labels: [new]", "labels", "new", "none"),
        ("notify: {user: young-account}", "notify: []", "notify", "none", "user young-account"),
    ],
)
def test_a_test_that_expects_something_else_names_both_case_45(  # noqa: PLR0917 - one column each
    tmp_path: Path, was: str, now: str, what: str, expected: str, got: str
) -> None:
    results = run_tests(with_tests(tmp_path, TESTS.replace(was, now)))

    (mismatch,) = (mismatch for result in results for mismatch in result.mismatches)
    assert (mismatch.what, mismatch.expected, mismatch.got) == (what, expected, got)


def test_mutants_leave_out_lines_of_except_and_move_actions_case_45(tmp_path: Path) -> None:
    rule = a_rule(
        "young-account",
        "{account-age: below 24}",
        "flag: {severity: low, reason: spam, action: hold}",
        more="except: [{role: moderator, channel: general}]",
    )
    tests = """\
tests_for: newcomers
tests:
  - test: a new account
    given: {event: {speaker: user}, scores: {safety: 0.9, account-age: 23}}
    expect: {verdict: flag, rules: {young-account: matched}}
  - test: a moderator in general
    given: {event: {speaker: user, role: moderator, channel: general}, scores: {safety: 0.9, account-age: 23}}
    expect: {verdict: allow, rules: {young-account: spared}}
  - test: an older account
    given: {event: {speaker: user}, scores: {safety: 0.9, account-age: 24}}
    expect: {verdict: allow, rules: {young-account: not matched}}
"""
    policies = load_policies(
        write_files(community_files(tmp_path, newcomers=with_rules(rule), texts=None), {"newcomers.test.yaml": tests})
    )

    unnoticed = {mutant.change for mutant in mutate(policies).unnoticed}

    assert unnoticed == {
        "action hold -> alert",
        "action hold -> remove",
        "without role in item 1 of except",
        "without channel in item 1 of except",
        "without applies_to speaker",
    }


def test_suggestions_cover_the_limits_of_facts_case_45(tmp_path: Path) -> None:
    policies = with_tests(tmp_path, TESTS)

    texts = [one.text for one in suggest(policies).tests if "account-age" in one.name]

    assert "just under 24" in texts[0]
    assert "account-age: 23" in texts[0]
    added = write_files(tmp_path, {"more.test.yaml": "tests_for: newcomers\ntests:\n" + "".join(texts)})
    assert [result.mismatches for result in run_tests(load_policies(added))] == [()] * (len(texts) + 2)


def with_tests(folder: Path, tests: str) -> PolicySet:
    return load_policies(write_files(community_files(folder), {"newcomers.test.yaml": tests}))


def test_explain_names_the_field_that_kept_a_rule_from_applying_case_40(policies: PolicySet) -> None:
    decision = decide(policies, channel="help")

    (found,) = not_applicable(decision, policies)

    assert found == NotApplicable("newcomers/announcements-only", "channel", "help", ["announcements", "news-*"])
    assert found.why == 'channel is "help", the rule wants "announcements" or "news-*"'
    assert f" n/a     newcomers/announcements-only\n         {found.why}\n" in decision_text(decision, policies)


@pytest.mark.parametrize(("fields", "has"), [({"channel": None}, None), ({"channel": ""}, None)])
def test_a_field_that_the_event_lacks_is_null_case_40(policies: PolicySet, fields: dict[str, Any], has: object) -> None:
    (found,) = not_applicable(decide(policies, **fields), policies)

    assert (found.has, found.why) == (has, "the event has no channel")


def test_of_several_fields_the_first_that_does_not_fit_is_named_case_40(policies: PolicySet) -> None:
    event: dict[str, Any] = {"messages": [{"role": "assistant", "content": "hello"}], "text": None}

    found = not_applicable(decide(policies, **event), policies)

    assert {(each.field, each.has) for each in found} == {("speaker", "assistant")}
    assert len(found) == len(policies.active_rules)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('applies_to: {metadata.kind: "< 24 hours"}', "from_event: metadata.kind and write when: {kind: below 24}"),
        ("applies_to: {role: not member}", "say it under except: [{role: member}]"),
        ("applies_to: {channel: 'help, chat'}", "write [help, chat]"),
        ("applies_to: {role: [membr]}", 'did you mean "member"?'),
    ],
)
def test_a_value_that_reads_like_something_else_is_a_warning_case_37(tmp_path: Path, line: str, hint: str) -> None:
    rules = with_rules(a_rule("a", "{karma: below 0}", FLAG, more=line), a_rule("b", "", FLAG, more=MEMBERS))
    folder = community_files(tmp_path, newcomers=rules, texts=None)

    checks = [CliRunner().invoke(app, ["check", str(folder), *options]) for options in ([], ["--strict"])]
    found = check_folder(folder)[1]

    assert [(each.code, hint in each.hint) for each in found] == [("P018", True)]
    assert [ran.exit_code for ran in checks] == [0, 1]


def test_a_locale_that_is_none_is_a_warning_case_37(tmp_path: Path) -> None:
    rule = a_rule("a", "{karma: below 0}", FLAG, more="applies_to: {locale: english}")
    settings = SETTINGS.replace("role: sometimes", "role: sometimes, locale: sometimes")

    (found,) = check_folder(community_files(tmp_path, newcomers=with_rules(rule), settings=settings, texts=None))[1]

    assert (found.level, found.code, found.hint) == ("warning", "P018", "did you mean en?")


def test_a_regular_expression_is_an_error_case_37(tmp_path: Path) -> None:
    rule = a_rule("a", "{karma: below 0}", FLAG, more="applies_to: {channel: /a.*/}")

    ran = CliRunner().invoke(app, ["check", str(community_files(tmp_path, newcomers=with_rules(rule), texts=None))])

    assert (ran.exit_code, "error P025" in ran.stdout) == (1, True)


@pytest.mark.parametrize(
    ("role", "others", "is_warned"),
    [
        ("memberr", "member", True),
        ("menber", "member", True),
        ("Member", "member", False),
        ("team-a", "team-b", False),
        ("user1", "user2", False),
        ("staff", "stuff", True),
        ("mod", "mob", False),
        ("reader", "readers-of", False),
    ],
)
def test_values_one_letter_apart_are_called_out_where_words_are_case_37(
    tmp_path: Path, role: str, others: str, *, is_warned: bool
) -> None:
    often = [a_rule(f"b{number}", "", FLAG, more=f"applies_to: {{role: {others}}}") for number in range(2)]
    rules = with_rules(a_rule("a", "{karma: below 0}", FLAG, more=f"applies_to: {{role: {role}}}"), *often)

    found = check_folder(community_files(tmp_path, newcomers=rules, texts=None))[1]

    assert ("P018" in [each.code for each in found]) == is_warned


@pytest.mark.parametrize(
    ("rule", "code", "hint"),
    [
        (a_rule("a", "{or: [{karma: below 0}]}", FLAG), "P021", "write any: and keep the list"),
        (a_rule("a", "{AND: [{karma: below 0}]}", FLAG), "P021", "write all: and keep the list"),
        (a_rule("a", "{not: {safety: above 0.3}}", FLAG), "P021", "unless: {safety: above 0.3}"),
        (a_rule("a", "{karma: below 0}", FLAG, more="body: [a, b]"), "P011", "from_text: {words: [a, b]}"),
        (a_rule("a", "{karma: below 0}", FLAG, more="title: [a]"), "P011", "of: metadata.title"),
        (
            a_rule("a", "{karma: below 0}", FLAG, more="body+title (includes): [a]"),
            "P011",
            "at least 1}; for the title",
        ),
        (a_rule("a", "{regex: a.b}", FLAG), "P011", "from_text: {patterns: [a.b]}"),
        (
            a_rule("a", "{karma: below 0}", f"{FLAG}\n    rule: b\n    mode: off"),
            "P006",
            "a dash before it, as on line 6",
        ),
        (a_rule("a", "{safety: below 30%}", FLAG), "P030", "did you mean below 0.30?"),
        (a_rule("a", "{safety: less than 0.3}", FLAG), "P030", 'did you mean "below 0.3"?'),
        (a_rule("a", "{safety: over 0.3}", FLAG), "P030", 'did you mean "above 0.3"?'),
        (a_rule("a", "{karma: between 1 and 2}", FLAG), "P030", "all: [{karma: at least 1}, {karma: at most 2}]"),
        (a_rule("a", "{karma: 1-2}", FLAG), "P030", "all: [{karma: at least 1}, {karma: at most 2}]"),
        (a_rule("a", "{karma: below 0}", "flag: {severity: low, reason: scam}"), "P013", "clutter, scam]"),
        (a_rule("a", "{karma: below 0}", FLAG, more="action: remove"), "P011", "reason: …, action: remove}"),
        (a_rule("a", "{karma: below 0}", FLAG, more="exempt_roles: [staff]"), "P011", "except: [{role: [staff]}]"),
        (
            a_rule("a", "{karma: below 0}", FLAG, more="moderators_exempt: true"),
            "P011",
            "except: [{role: [moderator]}]",
        ),
        (a_rule("a", "{safety:below 0.30}", FLAG), "P004", 'write "safety: below 0.30"'),
        (a_rule("a", "\n      safety:below 0.30", FLAG), "P004", 'write "safety: below 0.30"'),
        (a_rule("a", "{reports: yes}", FLAG), "P030", "write at least 1"),
        (a_rule("a", "{reports: 1}", FLAG), "P030", "write at least 1"),
        (a_rule("a", "{account-age: below 1 day}", FLAG), "P030", "the unit is hours: did you mean below 24?"),
    ],
)
def test_each_mistake_gets_one_error_and_its_fix_case_38(tmp_path: Path, rule: str, code: str, hint: str) -> None:
    folder = community_files(tmp_path, newcomers=with_rules(rule), texts=None)

    problems = [problem for problem in check_folder(folder)[1] if problem.level == "error"]

    assert [problem.code for problem in problems] == [code]
    assert hint in problems[0].hint


def test_a_fact_is_of_the_whole_event_and_names_no_passage(policies: PolicySet) -> None:
    decider = Decider(policies, a_model(("beavertails-is_safe",)))
    scored = a_scored_event(some_scores(0.9), some_scores(0.8))
    at = Timestamps(0.0, 0.1, 0.2, "2026-10-05T12:00:00.000Z")

    decision = decider.decide(a_record(), an_event('{"account_age_h": 3}'), scored, 0.0, at)

    assert decision["action"] == "hold"
    assert ["passage" in each for result in decision["rules"] for each in result["conditions"]] == [False] * 4


def test_facts_are_chosen_among_facts_and_scores_among_scores(tmp_path: Path) -> None:
    both = f"{SIGNALS}  worst: {{about: x, lowest_of: [karma, safety]}}\n"
    facts = SIGNALS.replace("links:       {about: Links to hosts", "hosts:       {about: Links to hosts")
    facts += "  most: {about: x, highest_of: [scam-words, hosts]}\n"
    rules = with_rules(a_rule("either", "{most: at least 2}", FLAG))

    mixed = codes(community_files(tmp_path / "mixed", signals=both))
    policies = a_community(tmp_path / "facts", signals=facts, newcomers=rules, texts=None)

    assert mixed == ["P035"]
    assert [decide(policies, f'{{"scam_words": {n}, "links": 1}}')["verdict"] for n in (1, 2)] == ["allow", "flag"]
    assert outcomes(decide(policies, '{"scam_words": 2}')) == {"either": "unknown"}


@pytest.mark.parametrize(("good", "is_warned"), [("high", True), ("low", False), ("none", False)])
def test_the_wrong_end_of_a_fact_is_called_out_unless_neither_is_good(
    tmp_path: Path, good: str, *, is_warned: bool
) -> None:
    signals = SIGNALS.replace("metadata.karma, scale: {}, good: high", f"metadata.karma, scale: {{}}, good: {good}")
    rules = with_rules(a_rule("popular", "{karma: above 1000}", FLAG))

    found = check_folder(community_files(tmp_path, signals=signals, newcomers=rules, texts=None))[1]

    assert ("P033" in [each.code for each in found]) == is_warned
