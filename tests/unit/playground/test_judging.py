from pathlib import Path
from typing import Any

import orjson
import pytest

from moderator.playground.judging import GivenError, SetScores, TypedText, event_of, judge
from moderator.policy import PolicySet, load_policies
from tests.unit.backtest.decisions import USUAL, recorded
from tests.unit.policy.folders import SETTINGS, SIGNALS, a_folder, a_policy, a_rule

NOW = "2026-10-05T12:00:00Z"
EVENT = {"speaker": "assistant", "tenant": "acme", "channel": "general"}


@pytest.fixture
def policies(tmp_path: Path) -> PolicySet:
    return load_policies(
        a_folder(
            tmp_path, a_policy(a_rule("usefulness: below 1.5", name="a-useless-reply"), a_rule("safety: below 0.30"))
        )
    )


def judged(policies: PolicySet, scores: dict[str, float | None], **event: Any) -> dict[str, Any]:
    return judge(policies, SetScores(scores, event_of(EVENT | event), NOW))


def test_scores_are_on_the_signals_scales_and_derived_ones_follow(policies: PolicySet) -> None:
    answer = judged(policies, {"safety": 0.9, "helpfulness": 1.25, "correctness": 3})

    assert answer["verdict"] == "flag"
    assert answer["scores"]["signals"] == {
        "safety": 0.9,
        "helpfulness": 1.25,
        "correctness": 3.0,
        "honesty": None,
        "usefulness": 1.25,
    }
    assert answer["scores"]["objectives"]["helpsteer-helpfulness"] == 0.35
    assert [rule["outcome"] for rule in answer["rules"]] == ["matched", "not matched"]


def test_a_recorded_decision_is_decided_again_as_it_was(policies: PolicySet) -> None:
    decision = orjson.loads(recorded(policies, 0.2, *USUAL[1:]))

    answer = judge(policies, decision)

    for part in ("verdict", "status", "severity", "reasons", "labels", "rules", "shadow_verdict"):
        assert answer[part] == decision[part]
    assert answer["scores"] == {name: decision["scores"][name] for name in ("signals", "objectives", "overall")}


def test_no_score_at_all_is_unscored(policies: PolicySet) -> None:
    assert judged(policies, {"safety": None})["status"] == "unscored"
    assert judged(policies, {})["status"] == "unscored"


@pytest.mark.parametrize(
    ("scores", "field", "said"),
    [
        ({"harm": 0.1}, "scores.harm", "no such signal"),
        ({"usefulness": 1.0}, "scores.usefulness", "follows from helpfulness and correctness"),
        ({"safety": float("nan")}, "scores.safety", "a score is a number"),
    ],
)
def test_a_score_that_cannot_be_is_named(policies: PolicySet, scores: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(GivenError, match=said) as refused:
        judged(policies, scores)

    assert refused.value.field == field


def test_a_score_beyond_all_rewards_is_implausible_and_no_crash(policies: PolicySet) -> None:
    answer = judged(policies, {"safety": 1e300, "helpfulness": 1.0})

    assert answer["rules"][1]["conditions"][0]["cause"] == "implausible"


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"text": "hello"}, "event.text", "without its messages"),
        ({"speaker": "robot"}, "event", "`messages.0.role`"),
        ({"tenant": ["acme"]}, "event", "`tenant`"),
        ({"user": "x" * 300}, "event", "`user`"),
        ({"chanel": "general"}, "event.chanel", "no such field"),
        ({"time": "yesterday"}, "event.time", "2026-10-01T09:00:00Z"),
        ({"time": "2026-13-01"}, "event.time", "2026-10-01T09:00:00Z"),
        ({"time": 1790000000}, "event.time", "2026-10-01T09:00:00Z"),
        ({"time": ""}, "event.time", "2026-10-01T09:00:00Z"),
        ({"time": "2026-10-01T09:00:00"}, "event.time", "no zone: write 2026-10-01T09:00:00Z"),
        ({"speaker": ""}, "event", "`messages.0.role`"),
        ({"metadata": {"a": 1, "b": ["x"]}}, "event.metadata.b", "texts, numbers"),
        ({"cut": "much"}, "event.cut", "write one of: nothing"),
        ({"hidden_text": []}, "event.hidden_text", "write one of: none"),
    ],
)
def test_a_wrong_field_of_the_event_is_named(fields: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(GivenError, match=said) as refused:
        event_of(fields)

    assert refused.value.field == field


def test_every_field_of_an_event_is_taken() -> None:
    fields = {
        "id": "e",
        "user": "u",
        "conversation_id": "c",
        "tenant": "t",
        "channel": "g",
        "locale": "en",
        "role": "member",
        "time": NOW,
        "metadata": {"surface": "web"},
        "cut": "context",
        "hidden_text": "found",
    }

    event = event_of({"speaker": "tool", **fields})

    assert event.speaker == "tool"
    assert {name: getattr(event, name) for name in fields} == fields


def test_a_date_alone_is_its_midnight_as_in_tests_of_policies() -> None:
    assert event_of({"time": "2026-09-01"}).time == "2026-09-01T00:00:00Z"


def test_a_fact_may_be_set_like_a_score(tmp_path: Path) -> None:
    signals = SIGNALS + "  age: {about: Age, from_event: metadata.age_h, scale: {low: 0, unit: hours}, good: high}\n"
    settings = SETTINGS + "if_fact_missing: allow\n"
    folder = a_folder(tmp_path, a_policy(a_rule("age: below 24")), signals=signals, settings=settings)
    policies = load_policies(folder)

    young, old, unknown = (judged(policies, {"safety": 0.9, "age": age})["verdict"] for age in (23.5, 24, None))

    assert (young, old, unknown) == ("flag", "allow", "allow")


WORDS = "  scam: {about: Scam wording, from_text: {words: lists/scam.txt}}\n"


@pytest.fixture
def listed(tmp_path: Path) -> PolicySet:
    folder = a_folder(tmp_path, a_policy(a_rule("scam: at least 1")), signals=SIGNALS + WORDS)
    (folder / "lists").mkdir()
    (folder / "lists" / "scam.txt").write_text("free donation\nprize\n")
    return load_policies(folder)


def test_text_signals_are_measured_of_a_text_or_set_like_scores(listed: PolicySet) -> None:
    def ask(text: str, **scores: float) -> dict[str, Any]:
        return judge(listed, SetScores({"safety": 0.9, **scores}, event_of(EVENT, text), NOW))

    assert ask("a FREE donation")["scores"]["signals"]["scam"] == 1.0
    assert ask("a free donation")["verdict"] == "flag"
    assert ask("a free donation")["found"][0]["list"] == "lists/scam.txt"
    assert (ask("")["verdict"], ask("a prize", scam=0)["verdict"], ask("", scam=2)["verdict"]) == (
        "allow",
        "allow",
        "flag",
    )


def test_a_typed_text_is_measured_by_the_policies_that_judge_it(listed: PolicySet, policies_without: PolicySet) -> None:
    decision = orjson.loads(recorded(policies_without, 0.9, *USUAL[1:]))

    answer = judge(listed, TypedText(decision, "win a prize"))

    assert (answer["verdict"], answer["scores"]["signals"]["scam"]) == ("flag", 1.0)
    assert judge(listed, decision)["verdict"] == "allow"


@pytest.fixture
def policies_without(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return load_policies(a_folder(tmp_path_factory.mktemp("without"), a_policy()))


def test_an_event_that_is_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]

    with pytest.raises(GivenError, match="nested too deeply") as refused:
        event_of({"metadata": {"a": deep}})

    assert refused.value.field == "event"
