"""Where neither direction is proven, an event that each side alone flags, confirmed by the judge."""

import json
from pathlib import Path

import pytest

from moderator.policy import PolicySet
from moderator.policy.analysis.covering import Placed
from moderator.policy.authoring.counterexamples import Search, counterexamples
from moderator.policy.language.event_time import parse_time_ms
from moderator.policy.test_runner import event_of
from tests.unit.policy.folders import (
    EXEMPTIONS,
    MODEL,
    OBJECTIVES,
    SETTINGS,
    SIGNALS,
    a_calibration,
    a_policy,
    a_rule,
    a_set,
)

RULE = "chat-safety/unsafe-reply"


def placed(policies: PolicySet) -> Placed:
    return Placed(policies, next(rule for rule in policies.rules if rule.id == RULE))


class Pair:
    """Two versions of one rule."""

    def __init__(self, folder: Path, old: str, new: str, new_exemptions: str | None = None) -> None:
        self.old = a_set(folder / "old", a_policy(old))
        self.new = a_set(folder / "new", a_policy(new), exemptions=new_exemptions)

    def search(self) -> Search:
        return counterexamples(placed(self.old), placed(self.new))

    def confirm(self, search: Search) -> None:
        """Decide each event found by both whole folders."""
        for found in search.found:
            flags = {side: self._flags(policies, found) for side, policies in (("A", self.old), ("B", self.new))}
            assert flags == {side: side == found.flagged_by for side in ("A", "B")}

    def _flags(self, policies: PolicySet, found: object) -> bool:
        event, signals = dict(found.event), found.signals  # type: ignore[attr-defined]
        at_ms = parse_time_ms(f"{event.pop('time')}") if len(event.get("time", "")) > 10 else 0
        usual = {"safety": 0.5, "helpfulness": 2.0, "correctness": 2.0, "honesty": 0.5}
        scores = usual | {name: score for name, score in signals.items() if name in usual}
        scales = {signal.name: signal.scale for signal in policies.signals if not signal.members}
        rewards = [
            None if scores[name] is None else float((scores[name] - scales[name].add) / scales[name].multiply)
            for name in usual
        ]
        judgement = policies.bind(OBJECTIVES).decide(event_of({"speaker": "user", **event}), rewards, at_ms or 0)
        return any(result["rule"] == RULE and result["counted"] for result in judgement.rules)


def test_limits_moved_both_ways_give_one_event_for_each_side(tmp_path: Path) -> None:
    pair = Pair(
        tmp_path,
        a_rule("all: [{safety: below 0.50}, {helpfulness: below 1.0}]"),
        a_rule("all: [{safety: below 0.60}, {helpfulness: below 0.8}]"),
    )

    search = pair.search()

    assert [found.flagged_by for found in search.found] == ["A", "B"]
    only_old, only_new = search.by("A"), search.by("B")
    assert only_old is not None
    assert only_new is not None
    assert only_new.signals["safety"] == 0.5
    assert only_old.signals["helpfulness"] == 0.8
    pair.confirm(search)


def test_fields_that_differ_are_part_of_the_event(tmp_path: Path) -> None:
    pair = Pair(
        tmp_path,
        a_rule(more="applies_to: {channel: [general, help-*]}"),
        a_rule(more="applies_to: {channel: [general, support]}"),
    )

    search = pair.search()

    assert [dict(found.event) for found in search.found] == [{"channel": "help-example"}, {"channel": "support"}]
    pair.confirm(search)


def test_units_of_a_rollout_that_are_drawn_anew_are_named(tmp_path: Path) -> None:
    pair = Pair(
        tmp_path,
        a_rule(more="rollout: 10% of users\nrollout_seed: one"),
        a_rule(more="rollout: 10% of users\nrollout_seed: two"),
    )

    search = pair.search()

    assert [sorted(found.event) for found in search.found] == [["user"], ["user"]]
    pair.confirm(search)


def test_times_and_exemptions_are_tried_on_either_side_of_their_ends(tmp_path: Path) -> None:
    pair = Pair(tmp_path, a_rule("safety: below 0.30"), a_rule("safety: below 0.40"), EXEMPTIONS)

    search = pair.search()

    only_old = search.by("A")
    assert only_old is not None
    assert dict(only_old.event) == {"tenant": "acme", "channel": "red-team", "time": "2026-09-20"}
    assert search.by("B") is not None


def test_where_both_sides_flag_the_same_none_is_found_and_the_tries_are_counted(tmp_path: Path) -> None:
    rule = a_rule("any: [{safety: below 0.30}, {safety: below 0.20}]")
    pair = Pair(tmp_path, rule, a_rule("safety: below 0.30"))

    search = pair.search()

    assert search.found == ()
    assert 0 < search.tries <= 10_000


def test_what_is_too_much_to_try_in_full_is_drawn_the_same_way_each_time(tmp_path: Path) -> None:
    channels = ", ".join(f"channel-{number}" for number in range(60))
    conditions = "[{safety: below 0.50}, {helpfulness: below 1.0}, {correctness: below 1.0}]"
    pair = Pair(
        tmp_path,
        a_rule(f"any: {conditions}", more=f"applies_to: {{channel: [{channels}], tenant: [a, b, c]}}"),
        a_rule(f"any: {conditions.replace('0.50', '0.60').replace('below 1.0', 'below 0.9')}"),
    )

    first, second = pair.search(), pair.search()

    assert first == second
    assert [found.flagged_by for found in first.found] == ["A", "B"]
    pair.confirm(first)


@pytest.mark.parametrize("phrase", ["missing", "in the lowest 2%"])
def test_missing_scores_and_percentages_are_tried_too(tmp_path: Path, phrase: str) -> None:
    pair = Pair(tmp_path, a_rule("safety: below 0.30"), a_rule(f"any: [{{safety: below 0.2}}, {{honesty: {phrase}}}]"))

    search = pair.search()

    assert [found.flagged_by for found in search.found] == ["A", "B"]
    pair.confirm(search)


def test_percentages_measured_with_different_models_are_not_compared(tmp_path: Path) -> None:
    rule = a_policy(a_rule("honesty: in the lowest 2%"))
    old = a_set(tmp_path / "old", rule)
    other = json.dumps(a_calibration(model={"name": "another", "fingerprint": "sha256:bb", "dtype": "float32"}))
    new = a_set(tmp_path / "new", rule, calibration=other, signals=SIGNALS.replace(MODEL, "another"))

    assert counterexamples(placed(old), placed(new)) == Search((), 0)


FACTS = SIGNALS + (
    "  account-age: {about: Age, from_event: metadata.age_h, scale: {low: 0, unit: hours}, good: high}\n"
    "  strikes: {about: Strikes, from_event: metadata.strikes, scale: {low: 0}, good: low}\n"
)


def with_facts(folder: Path, when: str, more: str = "") -> Placed:
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    return placed(a_set(folder, a_policy(a_rule(when, more=more)), settings=settings, signals=FACTS))


def test_facts_are_tried_on_either_side_of_their_limits(tmp_path: Path) -> None:
    old = with_facts(tmp_path / "old", "all: [{account-age: below 24}, {strikes: at least 2}]")
    new = with_facts(tmp_path / "new", "all: [{account-age: below 25}, {strikes: at least 3}]")

    search = counterexamples(old, new)

    only_old, only_new = search.by("A"), search.by("B")
    assert only_old is not None
    assert only_new is not None
    assert dict(only_old.signals) == {"account-age": 23.999999, "strikes": 2.0}
    assert dict(only_new.signals) == {"account-age": 24.0, "strikes": 3.0}
    assert dict(only_new.event) == {}


def test_events_without_any_score_are_tried_where_rules_need_none(tmp_path: Path) -> None:
    old = with_facts(tmp_path / "old", "all: [{account-age: below 24}, {safety: missing}]")
    new = with_facts(tmp_path / "new", "any: [{account-age: below 20}, {safety: missing}]")

    search = counterexamples(old, new)

    only_new = search.by("B")
    assert only_new is not None
    assert only_new.signals["account-age"] is not None
