"""The figures of the page Policies: what the folder holds, what decides, and what each rule did to what is held."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, NamedTuple

from moderator.console.console import Console
from moderator.console.policies.replicas import ReplicaWord
from moderator.console.policies.watch import FolderReport
from moderator.console.recent.decision import RecentDecision
from moderator.events import iso_time
from moderator.policy.analysis.descriptions import describe_rule
from moderator.policy.language.ast import Policy, Rule
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.scale import show
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic
from moderator.policy.test_runner import TestResult

State = Literal["in force", "refused", "not yet in force", "cannot tell", "unreadable"]
_TRAFFIC_MS = 60_000
"""Policies that decided within it are taken to decide now."""
_STATES_OF_REPLICAS: Mapping[str, str] = {"refused": "refused", "unreadable": "unreadable"}


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """What is to say of the folder as a whole.

    Attributes:
        state: by our own check, and by what decides.
        why: one sentence that says what led to the state.
        problems: as `/v1/status` has them, with those of replicas that refuse what we would accept.
        deciding: snapshots that decided in the last minute, or that replicas say decide; newest first.
    """

    state: State
    why: str
    problems: Sequence[Mapping[str, Any]]
    warnings: Sequence[Diagnostic]
    deciding: Sequence[str]


class RuleHits(NamedTuple):
    """What a rule did to the decisions that are held.

    Attributes:
        live, shadow: how many it flagged or tagged, and how many it would have as a live rule.
        only_by: decisions that it alone flags; for a shadow rule, allowed ones that it alone would flag.
        overlap: by other rule, in how many decisions both are.
    """

    live: int = 0
    shadow: int = 0
    only_by: int = 0
    overlap: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One rule of the folder.

    Attributes:
        words: the rule in two sentences.
        schedule, rollout: empty where it has none.
        passed, failed: tests that name it.
    """

    rule: Rule
    policy: Policy
    words: str
    schedule: str
    rollout: str
    hits: RuleHits
    passed: int
    failed: int


def folder_figures(console: Console) -> FolderFigures | None:
    """Say what the folder holds and whether that decides; None while it is not read yet."""
    report = console.folder.report
    if report is None:
        return None
    words = [word for word in console.replicas.words if word.policies is not None]
    deciding = _deciding(console, words)
    state, why = _state(report, words, deciding, has_replicas=bool(console.replicas.urls))
    own = [problem.record for problem in report.refusal.problems] if report.refusal else []
    return FolderFigures(state, why, own or list(_problems_of(words)), report.warnings, deciding)


def rule_figures(console: Console) -> list[RuleFigures]:
    """Describe each rule of the folder, in its order; empty where the folder cannot be read without an error."""
    report = console.folder.report
    if report is None or report.policies is None:
        return []
    hits = rule_hits(console.recent.decisions)
    return [
        _rule(rule, policy, report.policies, hits.get(rule.id, RuleHits()), report.tests)
        for policy in report.policies.policies
        for rule in policy.rules
    ]


def rule_hits(decisions: Sequence[RecentDecision]) -> dict[str, RuleHits]:
    """Count what each rule did, by its id."""
    live, shadow, only_by = Counter[str](), Counter[str](), Counter[str]()
    both: Counter[tuple[str, str]] = Counter()
    for rules, verdict in ((each.rules, each.verdict) for each in decisions if each.rules):
        flagging = [rule for rule, hit in rules if hit == "live"]
        watching = [rule for rule, hit in rules if hit == "shadow"]
        live.update(rule for rule, hit in rules if hit != "shadow")
        shadow.update(watching)
        if len(flagging) == 1:
            only_by[flagging[0]] += 1
        elif verdict == "allow" and len(watching) == 1:
            only_by[watching[0]] += 1
        both.update(combinations(sorted({rule for rule, _ in rules}), 2))
    overlap: dict[str, dict[str, int]] = {}
    for (one, other), count in both.items():
        overlap.setdefault(one, {})[other] = count
        overlap.setdefault(other, {})[one] = count
    return {rule: RuleHits(live[rule], shadow[rule], only_by[rule], overlap.get(rule, {})) for rule in {*live, *shadow}}


def status_record(console: Console) -> dict[str, Any] | None:
    """Give what `/v1/status` of a replica says of its policies; without one, what our own check says."""
    words = [word.policies for word in console.replicas.words if word.policies is not None]
    if words:
        return dict(words[0])
    report, figures = console.folder.report, folder_figures(console)
    if report is None or figures is None:
        return None
    states = {"in force": "in force", "refused": "refused", "unreadable": "unreadable"}
    return {
        "snapshot": figures.deciding[0] if figures.deciding else None,
        "source": report.state.source,
        "since": None,
        "folder": states.get(figures.state, "pending"),
        "stale_s": None,
        "ignored": list(report.state.uncounted),
        "problems": list(figures.problems),
    }


def rule_record(figures: RuleFigures) -> dict[str, Any]:
    """Give one rule as programs read it."""
    rule, hits = figures.rule, figures.hits
    return {
        "rule": rule.id,
        "owner": figures.policy.owner,
        "words": figures.words,
        "mode": rule.mode,
        "severity": rule.flag.severity if rule.flag else None,
        "reason": rule.flag.reason if rule.flag else None,
        "tags": list(rule.tags),
        "schedule": figures.schedule or None,
        "rollout": figures.rollout or None,
        "live": hits.live,
        "shadow": hits.shadow,
        "only_by": hits.only_by,
        "overlap": dict(hits.overlap),
        "tests": {"passed": figures.passed, "failed": figures.failed},
    }


def replica_record(word: ReplicaWord) -> dict[str, Any]:
    """Give what one replica says as programs read it."""
    policies = word.policies
    return {
        "url": word.url,
        "at": iso_time(word.at_ms / 1_000),
        "snapshot": policies["snapshot"] if policies else None,
        "folder": policies["folder"] if policies else None,
        "error": word.error or None,
    }


def _deciding(console: Console, words: Sequence[ReplicaWord]) -> list[str]:
    now_ms = console.now_ms()
    said = [word.policies["snapshot"] for word in words if word.policies is not None]
    seen = []
    for decision in reversed(console.recent.decisions):
        if abs(now_ms - decision.decided_ms) > _TRAFFIC_MS:
            break
        seen.append(decision.snapshot)
    return list(dict.fromkeys([*seen, *(snapshot for snapshot in said if snapshot is not None)]))


def _state(
    report: FolderReport, words: Sequence[ReplicaWord], deciding: Sequence[str], *, has_replicas: bool
) -> tuple[State, str]:
    if report.is_unreadable:
        return "unreadable", "The folder cannot be read."
    if report.refusal is not None:
        return "refused", "What the folder holds may not decide. What decided before goes on."
    refusing = [word.url for word in words if word.policies and word.policies["folder"] in _STATES_OF_REPLICAS]
    if refusing:
        return "refused", f"We see no fault in the folder, but {', '.join(refusing)} refuses it."
    snapshot = report.policies.snapshot if report.policies else ""
    if words:
        lacking = [word.url for word in words if word.policies and word.policies["snapshot"] != snapshot]
        if lacking:
            return "not yet in force", f"{', '.join(lacking)} decides by other policies still."
        return "in force", "Every replica that answers decides by what the folder holds."
    if not deciding:
        asked = "no replica answers" if has_replicas else "no replica is asked (--scorer-url)"
        return "cannot tell", f"Nothing was decided in the last minute, and {asked}."
    if deciding[0] != snapshot:
        return "not yet in force", "The newest decisions were made by other policies."
    return "in force", "The newest decisions were made by what the folder holds."


def _problems_of(words: Sequence[ReplicaWord]) -> Iterator[Mapping[str, Any]]:
    for word in words:
        if word.policies is not None:
            yield from ({**problem} for problem in word.policies["problems"])


def _rule(rule: Rule, policy: Policy, policies: PolicySet, hits: RuleHits, tests: Sequence[TestResult]) -> RuleFigures:
    naming = [result for result in tests if rule.id in result.test.expected.rules]
    failed = sum(result.fails for result in naming)
    times = [f"from {iso_utc(rule.starts_ms)}"] if rule.starts_ms is not None else []
    times += [f"until {iso_utc(rule.until_ms)}"] if rule.until_ms is not None else []
    rollout = f"{show(rule.rollout.percent)}% of {rule.rollout.unit}" if rule.rollout else ""
    words = describe_rule(rule, policies.exemptions)
    return RuleFigures(rule, policy, words, " ".join(times), rollout, hits, len(naming) - failed, failed)
