"""`policy test`, `explain`, `diff` and `schema` as they are called: what they print, and how they end."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moderator.cli.policy import app
from moderator.cli.policy.output import WIDTH
from moderator.policy import PolicySet, load_policies
from moderator.policy.live.snapshot_store import SnapshotStore
from tests.unit.policy.decisions import a_decision
from tests.unit.policy.folders import CHAT_SAFETY, a_folder, a_policy, a_rule

TESTS = """\
tests_for: chat-safety
tests:
  - test: under the limit
    given:
      event: {speaker: assistant, tenant: acme, channel: general}
      scores: {safety: 0.29}
      other_scores: typical
    expect: {verdict: flag, rules: {unsafe-reply: matched}}
  - test: at the limit
    given:
      event: {speaker: assistant, tenant: acme, channel: general}
      scores: {safety: 0.30}
      other_scores: typical
    expect: {verdict: allow, rules: {unsafe-reply: not matched}}
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


def moderator(*arguments: str | Path) -> Ran:
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return Ran(ran.exit_code, ran.stdout, "" if isinstance(ran.exception, SystemExit) else str(ran.exception or ""))


def explain(decisions: str, *options: str) -> Ran:
    Path("decisions.jsonl").write_text(decisions)
    return moderator("explain", "--decision", "decisions.jsonl", *options)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODERATOR_POLICIES__STATE_DIR", raising=False)


def some_policies(text: str = CHAT_SAFETY, name: str = "policies", **files: str) -> PolicySet:
    return load_policies(a_folder(Path(name), text, **files))


def test_a_folder_whose_tests_show_all_passes_with_every_flag() -> None:
    a_folder(Path("policies"), a_policy(), tests=[TESTS])

    ran = moderator("test", "--coverage", "--mutate", "--suggest")

    assert ran.code == 0
    assert ran.out.startswith(
        "2 tests, 2 passed, 0 failed, 0 errors\n"
        "\nchat-safety/unsafe-reply (live)\n  1 matched, 1 not matched\n  when safety below 0.30  1 yes, 1 no\n"
        "3 small changes tried, 3 noticed by a test, 0 not\n"
        "\n# policy-0.test.yaml: read each one, it expects what is decided today\n# add these under tests:\n"
        "  - test: unsafe-reply with safety just under 0.30\n"
    )


def test_a_slip_that_goes_unnoticed_ends_with_1() -> None:
    a_folder(Path("policies"), a_policy(), tests=[TESTS.replace("0.29", "0.1")])

    plain, mutated = moderator("test"), moderator("test", "--mutate")

    assert (plain.code, mutated.code) == (0, 1)
    assert (
        "unnoticed P077 chat-safety/unsafe-reply\n  policy-0.yaml:9:15  safety below 0.30 -> below 0.29\n"
        in mutated.out
    )


def test_only_a_slip_at_a_limit_is_sent_to_the_suggestions() -> None:
    rule = a_rule(more="applies_to: {tenant: acme}")
    a_folder(Path("limit"), a_policy(), tests=[TESTS.replace("0.29", "0.1")])
    a_folder(Path("scope"), a_policy(rule), tests=[TESTS])

    at_limit, elsewhere = (moderator("test", folder, "--mutate").out for folder in ("limit", "scope"))

    assert at_limit.endswith("`--suggest` writes tests near each limit\n")
    assert elsewhere.endswith("  without applies_to tenant\n")


def test_a_limit_without_a_suggestion_is_named_for_people_and_programs() -> None:
    a_folder(Path("policies"), a_policy(a_rule("helpfulness: in the lowest 2%")))

    text, record = (moderator("test", "--suggest", *options).out for options in ([], ["--json"]))

    assert text.endswith(
        "\nno test could be made for these limits: no event and scores were found where each alone decides:\n"
        "  policy-0.yaml:9:20  chat-safety/unsafe-reply: helpfulness in the lowest 2%\n"
    )
    assert json.loads(record)["suggestions"] == []
    assert json.loads(record)["limits_without_suggestion"] == [
        {
            "rule": "chat-safety/unsafe-reply",
            "limit": "helpfulness in the lowest 2%",
            "file": "policy-0.yaml",
            "line": 9,
            "column": 20,
        }
    ]


def test_slips_are_not_tried_while_tests_fail() -> None:
    a_folder(Path("policies"), a_policy(), tests=[TESTS.replace("0.29", "0.9")])

    ran = moderator("test", "--mutate")

    assert ran.code == 1
    assert ran.out.endswith("no changes tried: --mutate needs tests that pass\n")


def test_what_the_tests_show_is_written_for_programs_too() -> None:
    a_folder(Path("policies"), a_policy(), tests=[TESTS.replace("0.29", "0.1")])

    record = json.loads(moderator("test", "--json", "--coverage", "--mutate", "--suggest").out)

    assert record["coverage"][0]["outcomes"] == {"matched": 1, "not matched": 1}
    assert [one["change"] for one in record["mutation"]["unnoticed"]] == ["safety below 0.30 -> below 0.29"]
    assert record["suggestions"][0]["tests_for"] == "chat-safety"


@pytest.mark.parametrize(
    "tests",
    [
        TESTS.replace("unsafe-reply: matched", "unsafe-replay: matched"),
        TESTS.partition("  - test: at the limit")[0],
        "",
    ],
    ids=["an unknown rule", "a live rule shown one way only", "no tests at all"],
)
def test_what_shows_nothing_ends_with_1(tests: str) -> None:
    """Acceptance case 40, as far as `policy test` goes."""
    a_folder(Path("policies"), a_policy(), tests=[tests] if tests else [])

    assert moderator("test").code == 1


def test_a_rule_is_described_by_its_id_its_name_or_its_policys_name() -> None:
    some_policies()

    by_id, by_name, all_rules = (
        moderator("explain", "--words", name) for name in ("chat-safety/unsafe-reply", "unsafe-reply", "chat-safety")
    )

    assert by_id == by_name
    assert by_id.out == (
        'unsafe-reply, live, for speaker "assistant": when safety is below 0.30; flag it,\n'
        'high, "unsafe_content". Where a score is missing it flags.\n'
    )
    assert len(all_rules.out.split("\n\n")) == 3


def test_a_rule_that_is_not_there_is_named_with_its_neighbour() -> None:
    some_policies()

    ran = moderator("explain", "--words", "unsafe-repl")

    assert ran.error == 'there is no rule or policy called "unsafe-repl"; did you mean "unsafe-reply"?'


@pytest.mark.parametrize("arguments", [[], ["--words", "x", "--decision", "y"]])
def test_one_thing_is_explained_at_a_time(arguments: list[str]) -> None:
    assert moderator("explain", *arguments).error.startswith("name one of `--decision FILE`")


def test_a_decision_made_by_the_folder_is_decided_again_and_says_nothing_more() -> None:
    policies = some_policies()
    decision = json.dumps(a_decision(policies, safety=0.1), indent=2)

    ran = explain(decision)

    assert ran.code == 0
    assert ran.out.startswith("FLAG high   snapshot ")
    assert ran.out.splitlines()[-1] == " reasons: unsafe_content"


def test_a_decision_that_comes_out_otherwise_says_so_and_ends_with_1() -> None:
    policies = some_policies()
    decision = json.dumps(a_decision(policies, safety=0.1) | {"severity": "low"})

    ran = explain(decision)

    assert ran.code == 1
    assert "differs: decided again by its snapshot" in ran.out
    assert "severity: recorded low, replayed high" in " ".join(ran.out.split())


def test_one_decision_of_many_that_comes_out_otherwise_ends_with_1() -> None:
    policies = some_policies()
    tampered = json.dumps(a_decision(policies, safety=0.1) | {"severity": "low"})
    sound = json.dumps(a_decision(policies, safety=0.1))

    codes = [explain("\n".join(lines)).code for lines in ((tampered, sound), (sound, tampered), (sound, sound))]

    assert codes == [1, 1, 0]


def test_a_decision_whose_model_lacks_what_its_snapshot_needs_says_so() -> None:
    decision = a_decision(some_policies(), safety=0.1)
    del decision["scores"]["objectives"]["ultrafeedback-honesty"]

    ran = explain(json.dumps(decision))

    assert ran.code == 1
    assert "does not suit the model that is recorded" in " ".join(ran.out.split())


def test_the_snapshot_is_searched_for_where_accepted_policies_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    old = some_policies(name="old")
    files = {str(path.relative_to("old")): path.read_bytes() for path in Path("old").rglob("*.*")}
    SnapshotStore(Path("state")).keep(old.snapshot, files)
    some_policies(CHAT_SAFETY.replace("below 0.30", "below 0.20"))
    Path("decision.json").write_text(json.dumps(a_decision(old, safety=0.25)))
    lost = moderator("explain", "--decision", "decision.json")

    monkeypatch.setenv("MODERATOR_POLICIES__STATE_DIR", "state")
    found = moderator("explain", "--decision", "decision.json")

    assert (lost.code, found.code) == (0, 0)
    assert "the policies there today differ: verdict: recorded flag, replayed allow" in " ".join(lost.out.split())
    assert "live, user-5 is inside 25%" in found.out
    assert "shown as recorded" not in found.out


def test_rules_that_did_not_apply_are_records_too_case_40() -> None:
    """The number is that of the acceptance list of the language's second part."""
    decision = a_decision(some_policies(), channel="elsewhere", locale=None)

    record = json.loads(explain(json.dumps(decision), "--json").out)

    assert record["not_applicable"] == [
        {
            "rule": "chat-safety/useless-and-doubtful",
            "field": "channel",
            "has": "elsewhere",
            "wants": ["general", "help"],
        }
    ]


@pytest.mark.parametrize("folder", ["nowhere", "broken"])
def test_a_decision_is_explained_though_the_policies_of_today_cannot_be_used(folder: str) -> None:
    policies = some_policies()
    a_folder(Path("broken"), "rules: [")
    decision = json.dumps(a_decision(policies, safety=0.1))

    ran = explain(decision, "--policies", folder)

    assert ran.code == 0
    assert "the policies there today cannot be used" in " ".join(ran.out.split())


def test_many_decisions_are_explained_one_after_another() -> None:
    policies = some_policies()
    lines = "\n".join(json.dumps(a_decision(policies, safety=safety)) for safety in (0.1, 0.9))

    text = explain(lines)
    record = [json.loads(line) for line in explain(lines, "--json").out.splitlines()]

    assert [block.split()[0] for block in text.out.split("\n\n")] == ["FLAG", "ALLOW"]
    assert [(one["verdict"], one["snapshot_found"], one["differs"]) for one in record] == [
        ("flag", True, None),
        ("allow", True, None),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "there is nothing in `decisions.jsonl`"),
        ("{", "cannot explain `decisions.jsonl`, line 1: not JSON"),
        ("[]", "cannot explain `decisions.jsonl`, line 1: JSON, but not a decision"),
        ('{"schema": "moderator.decision/1"}', "cannot explain `decisions.jsonl`, line 1: a decision whose"),
    ],
)
def test_what_is_no_decision_is_reported(text: str, error: str) -> None:
    some_policies()

    assert explain(text).error.startswith(error)


def test_a_decision_without_a_time_is_reported() -> None:
    decision = a_decision(some_policies(), at_ms=None, time=None) | {"decided_at": "soon"}

    ran = explain(json.dumps(decision))

    assert ran.error.endswith("a decision whose `decided_at` is wrong: not a date and time with a zone")


def test_a_difference_is_reported_on_lines_that_fit_a_terminal() -> None:
    some_policies(name="old")
    some_policies(
        CHAT_SAFETY.replace("rule: useless-and-doubtful", "rule: doubtful").replace("0.30", "0.35"), name="new"
    )

    ran = moderator("diff", "old", "new")

    assert ran.code == 0
    assert ran.out.startswith(
        "renamed chat-safety/useless-and-doubtful -> chat-safety/doubtful\n"
        "  warning: rollout will redraw users unless rollout_seed is kept: write\n"
        "      rollout_seed: chat-safety/useless-and-doubtful\n"
        '  only B flags: speaker "assistant", channel '
    )
    assert ran.out.endswith(
        "chat-safety/unsafe-reply: safety below 0.30 -> below 0.35, can only flag more\n"
        "all verdicts: no claim: count what changes with `moderator policy backtest`\n"
    )
    assert max(map(len, ran.out.splitlines())) <= WIDTH


def test_no_difference_is_reported_as_such() -> None:
    some_policies(name="old")
    some_policies(CHAT_SAFETY.replace("rules:", "# Comments say nothing.\nrules:"), name="new")

    assert moderator("diff", "old", "new").out == "no change in meaning\n"
    assert json.loads(moderator("diff", "old", "new", "--json").out)["same_meaning"] is True


def test_a_limit_written_otherwise_means_the_same_in_another_snapshot() -> None:
    some_policies(name="old")
    some_policies(CHAT_SAFETY.replace("below 0.55", "below 0.550000"), name="new")

    text, record = moderator("diff", "old", "new").out, json.loads(moderator("diff", "old", "new", "--json").out)

    assert text == "no change in meaning\nthe snapshot differs, because it covers how conditions are written\n"
    assert (record["same_meaning"], record["old"] == record["new"], record["changes"]) == (True, False, [])


def test_a_budget_decides_nothing_and_is_reported() -> None:
    some_policies(name="old")
    some_policies(CHAT_SAFETY.replace("at most 1.5%", "at most 2%"), name="new")

    assert moderator("diff", "old", "new").out == (
        "chat-safety/useless-and-doubtful: budget at most 1.5% -> at most 2%, flags the\n    same\n"
        "no change in what is decided\n"
    )


def test_a_difference_is_written_for_programs_too() -> None:
    some_policies(name="old")
    some_policies(CHAT_SAFETY.replace("0.30", "0.35"), name="new")

    record = json.loads(moderator("diff", "old", "new", "--json").out)

    assert (record["claim"], record["changes"][0]["what"]) == ("can only flag more", "chat-safety/unsafe-reply")


def test_the_schema_goes_beside_the_policies_or_to_stdout() -> None:
    some_policies()

    beside, out = moderator("schema"), moderator("schema", "--output", "-")

    assert (beside.code, beside.out) == (0, "")
    assert Path("policies/.schema/policy.json").read_text() == out.out
    assert json.loads(out.out)["title"] == "A moderator policy"


def test_only_where_the_comment_of_a_schema_finds_it_is_it_reported(capsys: pytest.CaptureFixture[str]) -> None:
    some_policies()

    app(["schema"], standalone_mode=False)
    app(["schema", "--output", "elsewhere.json"], standalone_mode=False)

    assert capsys.readouterr().err == (
        "wrote policies/.schema/policy.json; let a policy's first line be:\n"
        "# yaml-language-server: $schema=.schema/policy.json\n"
        "wrote elsewhere.json\n"
    )


def test_a_schema_that_cannot_be_written_is_reported() -> None:
    some_policies()
    Path("notes").touch()

    assert moderator("schema", "--output", "notes/x").error.startswith("cannot write")


def test_a_schema_is_written_over_a_schema() -> None:
    some_policies()

    codes = [moderator("schema", "--output", "policies/.schema/policy.json").code for _ in range(2)]

    assert codes == [0, 0]


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (
            "policies/settings.yaml",
            "`policies/settings.yaml` is in a policy folder: name a file elsewhere for the schema",
        ),
        (
            "policies/calibration/armorm.json",
            "`policies/calibration/armorm.json` is in a policy folder: name a file elsewhere for the schema",
        ),
        (
            "other/policy-0.yaml",
            "`other/policy-0.yaml` exists already, and is YAML: name another file for the schema",
        ),
    ],
)
def test_a_schema_is_not_written_over_policies(file: str, error: str) -> None:
    some_policies()
    some_policies(name="other")
    before = Path(file).read_bytes()

    ran = moderator("schema", "--output", file)

    assert (ran.error, Path(file).read_bytes()) == (error, before)


def test_a_change_in_both_directions_shows_an_event_for_each() -> None:
    some_policies(a_policy(a_rule(more="applies_to: {channel: [general, help]}")), "old")
    some_policies(a_policy(a_rule("safety: below 0.40", more="applies_to: {channel: help}")), "new")

    text, record = moderator("diff", "old", "new").out, json.loads(moderator("diff", "old", "new", "--json").out)

    assert '\n  only B flags: channel "help", safety 0.300000\n' in text
    assert '\n  only A flags: channel "general", safety 0.299999\n' in text
    assert record["changes"][0]["counterexamples"] == [
        {"flagged_by": "A", "event": {"channel": "general"}, "signals": {"safety": 0.299999}},
        {"flagged_by": "B", "event": {"channel": "help"}, "signals": {"safety": 0.3}},
    ]


def test_a_change_of_which_nothing_is_proven_or_found_says_how_many_events_were_tried() -> None:
    some_policies(a_policy(a_rule(more="applies_to: {channel: general}")), "old")
    some_policies(a_policy(a_rule(more="applies_to: {channel: [general, help]}\nexcept: [{channel: help}]")), "new")

    text = moderator("diff", "old", "new").out

    assert "  only B flags: none found in 12 tries\n  only A flags: none found in 12 tries\n" in text
