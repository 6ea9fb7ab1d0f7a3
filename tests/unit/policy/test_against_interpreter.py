"""The judge against a slow, obvious interpreter written from the language's semantics."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from moderator.policy import PolicySet, load_policies
from moderator.policy.loader import check_folder
from tests.unit.policy.folders import NOON_MS, OBJECTIVES, a_folder, an_event

SIGNALS = {"safety": (1, "0"), "helpfulness": (5, "-0.5"), "correctness": (5, "-0.5"), "honesty": (1, "0")}
SEVERITIES = ["low", "medium", "high", "critical"]
FIELDS: dict[str, list[str | None]] = {
    "tenant": ["acme", "beta", "ac"],
    "channel": ["help", "general"],
    "role": ["staff", "member", None],
}
LIMITS = ["0.0", "0.1", "0.25", "0.30", "0.5", "0.500001", "1"]
MICRO = Decimal("0.000001")

Tree = Any


@dataclass(frozen=True)
class SimpleRule:
    mode: str
    scope: dict[str, list[str]]
    when: Tree
    unless: Tree
    spares: list[dict[str, list[str]]]
    if_missing: str | None
    severity: str
    reason: str


COMPARISONS = ["below", "at most", "at least", "above"]
phrases = st.sampled_from(["missing", *(f"{words} {limit}" for words in COMPARISONS for limit in LIMITS)])
comparisons = st.tuples(st.sampled_from(list(SIGNALS)), phrases).map(lambda pair: {pair[0]: pair[1]})
trees = st.recursive(
    comparisons,
    lambda parts: st.tuples(st.sampled_from(["all", "any"]), st.lists(parts, min_size=1, max_size=3)).map(
        lambda pair: {pair[0]: pair[1]}
    ),
    max_leaves=4,
).filter(lambda tree: depth_of(tree) <= 3)
patterns = st.lists(st.sampled_from(["acme", "beta", "a*", "*", "help", "staff", "me*"]), min_size=1, max_size=2)
scopes = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, patterns))
rules = st.builds(
    SimpleRule,
    mode=st.sampled_from(["live", "live", "shadow", "off"]),
    scope=scopes,
    when=trees,
    unless=st.none() | trees,
    spares=st.lists(scopes.filter(bool), max_size=2),
    if_missing=st.sampled_from([None, "flag", "allow"]),
    severity=st.sampled_from(SEVERITIES),
    reason=st.sampled_from(["unsafe_content", "low_quality"]),
)
EDGES: list[float | None] = [
    0.0,
    0.1,
    0.12,
    0.15,
    0.16,
    0.2,
    0.2000002,
    0.25,
    0.3,
    0.30000001192092896,
    0.5,
    0.500001,
    0.0078125,
    1.0,
]
ODD: list[float | None] = [
    None,
    math.nan,
    math.inf,
    -math.inf,
    1000.0,
    1000.0000004,
    1000.1,
    -0.0,
    1e308,
    5e-324,
    0.2999995,
    -0.2,
]


# Shrinking would load thousands of folders; the first counterexample is small enough to read.
QUICK = settings(
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def some_events(seed: int) -> Iterator[tuple[dict[str, Any], tuple[float | None, ...]]]:
    draw = random.Random(seed)
    for _ in range(60):
        kinds: list[list[float | None]] = draw.choices(
            [EDGES, ODD, [draw.uniform(-0.5, 1.5)]], weights=[6, 2, 2], k=len(SIGNALS)
        )
        yield (
            {field: draw.choice(values) for field, values in FIELDS.items()},
            tuple(draw.choice(kind) for kind in kinds),
        )


@settings(QUICK, max_examples=30)
@given(st.lists(rules, min_size=1, max_size=4), st.integers(0))
def test_the_judge_and_the_interpreter_agree_on_every_event(policy: list[SimpleRule], seed: int) -> None:
    policies = loaded(policy)
    judge = policies.bind(OBJECTIVES)

    for fields, scores in some_events(seed):
        judgement = judge.decide(an_event(**fields), scores, NOON_MS)

        assert judgement._asdict() == interpret(policy, fields, dict(zip(SIGNALS, scores, strict=True)))


@settings(QUICK, max_examples=10)
@given(rules, st.integers(0))
def test_a_rule_called_impossible_or_certain_is_so(rule: SimpleRule, seed: int) -> None:
    with TemporaryDirectory() as folder:
        codes = {problem.code for problem in check_folder(a_folder(Path(folder), written([rule])))[1]}
    assume(codes & {"P050", "P051"})

    for _, scores in some_events(seed):
        held, _ = whole(rule, dict(zip(SIGNALS, scores, strict=True)))

        assert held is not True if "P051" in codes else held is not False


def depth_of(tree: Tree) -> int:
    ((key, value),) = tree.items()
    return 1 + max(map(depth_of, value)) if key in ("all", "any") else 0


def loaded(policy: list[SimpleRule]) -> PolicySet:
    with TemporaryDirectory() as folder:
        path = a_folder(Path(folder), written(policy))
        errors = {problem.code for problem in check_folder(path)[1] if problem.level == "error"}
        assert errors <= {"P050", "P051"}
        assume(not errors)
        return load_policies(path)


def written(policy: list[SimpleRule]) -> str:
    # JSON is YAML, and Python's repr of these texts, lists and mappings is close enough to both.
    lines = ["policy: p", "about: x", "owner: x", "rules:"]
    for number, rule in enumerate(policy):
        lines += [f"  - rule: r{number}", "    about: x", f"    mode: {rule.mode}", f"    when: {rule.when}"]
        lines += [f"    unless: {rule.unless}"] if rule.unless else []
        lines += [f"    applies_to: {rule.scope}"] if rule.scope else []
        lines += [f"    except: {rule.spares}"] if rule.spares else []
        lines += [f"    if_score_missing: {rule.if_missing}"] if rule.if_missing else []
        lines += [f"    flag: {{severity: {rule.severity}, reason: {rule.reason}, labels: [l{number % 2}]}}"]
    return "\n".join(lines) + "\n"


def interpret(policy: list[SimpleRule], fields: dict[str, str | None], scores: dict[str, Any]) -> dict[str, Any]:
    if all(score is None for score in scores.values()):
        return {
            "verdict": "flag",
            "status": "unscored",
            "severity": "high",
            "reasons": ["unscored"],
            "labels": [],
            "rules": [],
            "shadow_verdict": "flag",
            "signals": dict.fromkeys(SIGNALS),
        }
    listed, counting, would_flag = [], [], False
    for number, rule in enumerate(policy):
        if rule.mode == "off" or not fit(rule.scope, fields):
            continue
        held, conditions = whole(rule, scores)
        outcome = {True: "matched", False: "not matched", None: "unknown"}[held]
        acts = held is True or (held is None and (rule.if_missing or "flag") == "flag")
        result: dict[str, Any] = {
            "rule": f"p/r{number}",
            "mode": rule.mode,
            "severity": rule.severity,
            "conditions": conditions,
        }
        spares = [f"except {place}" for place, scope in enumerate(rule.spares, start=1) if fit(scope, fields)]
        if acts and spares:
            result |= {"outcome": "spared", "spared_by": spares[0], "counted": False}
        else:
            result |= {"outcome": outcome, "counted": acts and rule.mode == "live"}
            would_flag = would_flag or acts
        listed.append(result)
        if result["counted"]:
            counting.append((rule, f"l{number % 2}", rule.reason if held else "score_missing"))
    lacks = any(condition["score"] is None for result in listed for condition in result["conditions"])
    return {
        "verdict": "flag" if counting else "allow",
        "status": "degraded" if lacks else "scored",
        "severity": max((rule.severity for rule, _, _ in counting), key=SEVERITIES.index, default=None),
        "reasons": sorted({reason for _, _, reason in counting}),
        "labels": sorted({label for _, label, _ in counting}),
        "rules": listed,
        "shadow_verdict": "flag" if would_flag else "allow",
        "signals": {name: shown(name, score) for name, score in scores.items()},
    }


def fit(scope: dict[str, list[str]], fields: dict[str, str | None]) -> bool:
    return all(any(fits(pattern, fields[field]) for pattern in patterns) for field, patterns in scope.items())


def fits(pattern: str, value: str | None) -> bool:
    if not value:
        return False
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def whole(rule: SimpleRule, scores: dict[str, Any]) -> tuple[bool | None, list[dict[str, Any]]]:
    when, conditions = evaluate(rule.when, "when", scores)
    if rule.unless is None:
        return when, conditions
    unless, more = evaluate(rule.unless, "unless", scores)
    negated = None if unless is None else not unless
    return combine("all", [when, negated]), conditions + more


def evaluate(tree: Tree, part: str, scores: dict[str, Any]) -> tuple[bool | None, list[dict[str, Any]]]:
    ((key, value),) = tree.items()
    if key not in ("all", "any"):
        condition = compare(part, key, value, scores[key])
        return condition["holds"], [condition]
    parts = [evaluate(item, part, scores) for item in value]
    return combine(key, [held for held, _ in parts]), [condition for _, some in parts for condition in some]


def combine(kind: str, values: list[bool | None]) -> bool | None:
    decisive = kind == "any"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def compare(part: str, signal: str, phrase: str, reward: float | None) -> dict[str, Any]:
    score = human(signal, reward)
    result = {"part": part, "signal": signal, "phrase": phrase, "score": shown(signal, reward), "borderline": False}
    if phrase == "missing":
        return result | {"holds": score is None, "margin": None}
    if score is None:
        return result | {"holds": None, "margin": None, "cause": cause_of(reward)}
    words, number = phrase.rsplit(" ", 1)
    limit = Decimal(number)
    holds = {"below": score < limit, "at most": score <= limit, "at least": score >= limit, "above": score > limit}
    margin = limit - score if words in ("below", "at most") else score - limit
    return result | {"holds": holds[words], "margin": float(margin)}


def human(signal: str, reward: float | None) -> Decimal | None:
    if reward is None or cause_of(reward) is not None:
        return None
    multiply, add = SIGNALS[signal]
    return rounded(reward) * multiply + Decimal(add)


def shown(signal: str, reward: float | None) -> float | None:
    score = human(signal, reward)
    return None if score is None else float(score)


def cause_of(reward: float | None) -> str | None:
    if reward is None:
        return "absent"
    if not Decimal(reward).is_finite():
        return "not_finite"
    return "implausible" if abs(rounded(reward)) > 1000 else None


def rounded(reward: float) -> Decimal:
    exact = Decimal(reward)
    return exact if abs(exact) > 10_000 else exact.quantize(MICRO, rounding=ROUND_HALF_EVEN)
