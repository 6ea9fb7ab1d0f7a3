"""The judge against a slow, obvious interpreter written from the language's semantics."""

import hashlib
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from moderator.events import ChatEvent
from moderator.policy import PolicySet, load_policies
from moderator.policy.files.rules.phrases import parse_phrase
from moderator.policy.language.comparisons import COMPARISONS
from moderator.policy.loader import check_folder
from tests.unit.policy import folders
from tests.unit.policy.folders import MODEL, OBJECTIVES


def parsed_ms(date: str) -> int:
    moment = datetime.fromisoformat(date if "T" in date else f"{date}T00:00:00+00:00")
    return round(moment.timestamp() * 1000)


@dataclass(frozen=True)
class SimpleSignal:
    """One that is read from the reward `of`, from the metadata `fact`, or the lowest or highest of others by name."""

    multiply: int = 1
    add: str = "0"
    of: str = ""
    fact: str = ""
    plausible: tuple[str, str] | None = None
    pick: str = ""
    members: tuple[str, ...] = ()


REWARDS = ["safety", "helpfulness", "correctness", "honesty"]
POINTS = SimpleSignal(5, "-0.5")
TURNED = SimpleSignal(-1, "1")
SIMPLE = {
    "safety": SimpleSignal(of="safety"),
    "helpfulness": replace(POINTS, of="helpfulness"),
    "correctness": replace(POINTS, of="correctness", plausible=("-1", "4.25")),
    "honesty": SimpleSignal(of="honesty"),
    "toxicity": replace(TURNED, of="honesty"),
    "rudeness": replace(TURNED, of="safety", plausible=("0", "0.875")),
    "usefulness": replace(POINTS, pick="lowest", members=("correctness", "helpfulness")),
    "worst": replace(TURNED, pick="highest", members=("rudeness", "toxicity")),
    "age": SimpleSignal(fact="age"),
    "karma": SimpleSignal(fact="karma", plausible=("-9", "500")),
    "standing": SimpleSignal(pick="highest", members=("age", "karma")),
}
FACTS = [name for name, spelt in SIMPLE.items() if spelt.fact or name == "standing"]
MORE_SIGNALS = """\
  toxicity: {about: x, from: ultrafeedback-honesty, scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low}
  rudeness:
    about: x
    from: beavertails-is_safe
    scale: {multiply: -1, add: 1, low: 0, high: 1}
    good: low
    plausible: {low: 0, high: 0.875}
  worst: {about: x, highest_of: [toxicity, rudeness]}
  age: {about: x, from_event: metadata.age, scale: {}, good: high}
  karma: {about: x, from_event: metadata.karma, scale: {}, good: high, plausible: {low: -9, high: 500}}
  standing: {about: x, highest_of: [age, karma]}
"""
SIGNALS = folders.SIGNALS.replace("correctness:\n    {", "correctness:\n    {plausible: {low: -1, high: 4.25}, ")
SIGNALS += MORE_SIGNALS
EVEN = [rank / 1000 for rank in range(1001)]
CALIBRATION = json.dumps(
    folders.a_calibration(
        derived={
            "usefulness": {"least_of": ["helpsteer-helpfulness", "helpsteer-correctness"], "quantiles": EVEN},
            "worst": {"least_of": ["ultrafeedback-honesty", "beavertails-is_safe"], "quantiles": EVEN},
        }
    )
)
NOISE = {"helpfulness": Decimal("0.05"), "usefulness": Decimal("0.05")}
DATES = ["2026-10-01", "2026-10-05T12:00:00Z", "2026-10-05T14:00:00.001+02:00", "2027-01-01"]
TIMES_MS = [parsed_ms(date) + step for date in DATES for step in (-1, 0, 1)]
UNITS = {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
SEVERITIES = ["low", "medium", "high", "critical"]
ACTIONS = ["alert", "hold", "remove"]
SENT: list[Any] = [
    *(None, None, "", True, "x", "1e0", 0, 0.25, 0.2500004, "0.2500005", " 0.5 ", 0.500001, 0.3, "0.30", 1, 24.0),
    *(-9, "-9.000001", 500, 500.0000006, 999_999_999.5, 1_000_000_000, "1000000000.0000005", 1_000_000_001, -0.0),
]
"""Values of the metadata that facts are read from."""
FIELDS: dict[str, list[str | None]] = {
    "tenant": ["acme", "beta", "ac"],
    "channel": ["help", "general"],
    "role": ["staff", "member", None],
    "locale": ["en-GB", "en_gb", "EN", "eng", "de", "", None],
    "speaker": ["user", "assistant", "tool"],
    "metadata.surface": ["web", "app", "", None],
    "metadata.age": SENT,
    "metadata.karma": SENT,
    "user": ["user-1", "user-5", "Zo\u00eb", "", None],
    "conversation_id": ["c-1", "c-2", None],
    "id": ["evt-1", "evt-2", "evt-3"],
}
PATTERNS = {
    "tenant": ["acme", "beta", "a*", "*"],
    "channel": ["help", "general", "h*"],
    "role": ["staff", "member", "me*"],
    "locale": ["en", "en-*", "EN_gb", "de"],
    "speaker": ["user", "assistant"],
    "metadata.surface": ["web", "w*", "app"],
    "metadata.karma": ["1", "24", "true", "0*"],
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
    exempt_scopes: list[dict[str, list[str]]]
    if_missing: str | None
    if_fact_missing: str | None
    severity: str
    reason: str
    action: str | None
    queue: str | None
    is_tag: bool
    starts: str | None
    until: str | None
    rollout: tuple[str, str] | None
    seed: str | None


@dataclass(frozen=True)
class SimplePolicy:
    """The settings and the one policy."""

    flags_when_missing: bool
    flags_when_fact_missing: bool
    flags_unscored: bool
    scope: dict[str, list[str]]
    rules: list[SimpleRule]


@dataclass(frozen=True)
class SimpleExemption:
    covers: int
    scope: dict[str, list[str]]
    added: str
    until: str


WORDS = ["below", "at most", "at least", "above"]
SHARES = ["0.1%", "2%", "12.5%", "30%", "50%"]
limits = [f"{words} {limit}" for words in WORDS for limit in LIMITS]
shares = [f"in the {end} {share}" for end in ("lowest", "highest") for share in SHARES]
comparisons = st.sampled_from(
    [
        {signal: phrase}
        for signal in SIMPLE
        for phrase in ["missing", *([] if signal in FACTS else shares), *([] if signal == "honesty" else limits)]
    ]
)
trees = st.recursive(
    comparisons,
    lambda parts: st.tuples(st.sampled_from(["all", "any"]), st.lists(parts, min_size=1, max_size=3)).map(
        lambda pair: {pair[0]: pair[1]}
    ),
    max_leaves=4,
).filter(lambda tree: depth_of(tree) <= 3)
scopes = st.dictionaries(st.sampled_from(list(PATTERNS)), st.just(None), max_size=2).flatmap(
    lambda lines: st.fixed_dictionaries(
        {field: st.lists(st.sampled_from(PATTERNS[field]), min_size=1, max_size=2) for field in lines}
    )
)
ordered_dates = st.lists(st.sampled_from(DATES), min_size=2, max_size=2, unique=True).map(
    lambda pair: sorted(pair, key=parsed_ms)
)
rules = st.builds(
    SimpleRule,
    mode=st.sampled_from(["live", "live", "shadow", "off"]),
    scope=scopes,
    when=st.none() | trees | trees | trees,
    unless=st.none() | trees,
    exempt_scopes=st.lists(scopes.filter(bool), max_size=2),
    if_missing=st.sampled_from([None, "flag", "allow"]),
    if_fact_missing=st.sampled_from([None, "flag", "allow"]),
    severity=st.sampled_from(SEVERITIES),
    reason=st.sampled_from(["unsafe_content", "low_quality"]),
    action=st.sampled_from([None, *ACTIONS]),
    queue=st.sampled_from([None, "spam", "care"]),
    is_tag=st.sampled_from([False, False, False, True]),
    starts=st.sampled_from([None, None, *DATES[:2]]),
    until=st.sampled_from([None, None, *DATES[2:]]),
    rollout=st.none() | st.tuples(st.sampled_from(["0.01", "25", "40.5", "100"]), st.sampled_from(list(UNITS))),
    seed=st.sampled_from([None, "a seed"]),
).filter(lambda rule: rule.when or rule.unless or rule.scope.keys() - {"speaker"})
whole_policies = st.builds(
    SimplePolicy,
    flags_when_missing=st.booleans(),
    flags_when_fact_missing=st.booleans(),
    flags_unscored=st.booleans(),
    scope=st.just({}) | scopes,
    rules=st.lists(rules, min_size=1, max_size=4),
)
exemptions = st.builds(
    lambda covers, scope, dates: SimpleExemption(covers, scope, *dates),
    st.integers(0, 3),
    scopes.filter(bool),
    ordered_dates,
)
EDGES: list[Any] = [
    0.0,
    0.001,
    0.02,
    0.020001,
    0.1,
    0.12,
    0.125,
    0.7,
    0.98,
    0.15,
    0.16,
    0.2,
    0.2000002,
    0.25,
    0.29,
    0.3,
    0.31,
    0.30000001192092896,
    0.5,
    0.500001,
    0.0078125,
    1.0,
]
ODD: list[Any] = [
    None,
    None,
    True,
    "0.1",
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


UNSCORED_SHARE = 0.1

# Shrinking would load thousands of folders; the first counterexample is small enough to read.
QUICK = settings(
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def some_events(seed: int) -> Iterator[tuple[dict[str, Any], tuple[Any, ...], int]]:
    draw = random.Random(seed)
    for _ in range(60):
        kinds: list[list[Any]] = draw.choices(
            [EDGES, ODD, [draw.uniform(-0.5, 1.5)]], weights=[6, draw.choice([2, 30]), 2], k=len(REWARDS)
        )
        is_unscored = draw.random() < UNSCORED_SHARE
        yield (
            {field: draw.choice(values) for field, values in FIELDS.items()},
            tuple(None if is_unscored else draw.choice(kind) for kind in kinds),
            draw.choice(TIMES_MS),
        )


@settings(QUICK, max_examples=25)
@given(whole_policies, st.lists(exemptions, max_size=2), st.integers(0))
def test_the_judge_and_the_interpreter_agree_on_every_event(
    policy: SimplePolicy, exempt: list[SimpleExemption], seed: int
) -> None:
    exempt = [one for one in exempt if one.covers < len(policy.rules)]
    policies = loaded(policy, exempt)
    judge = policies.bind(OBJECTIVES, MODEL)

    for fields, scores, at_ms in some_events(seed):
        judgement = judge.decide(event_of(fields), scores, at_ms)

        assert judgement._asdict() == interpret(policy, exempt, fields, named(scores), at_ms)


@settings(QUICK, max_examples=6)
@given(rules, st.integers(0))
def test_a_rule_called_impossible_or_certain_is_so(rule: SimpleRule, seed: int) -> None:
    rule = replace(rule, exempt_scopes=[], is_tag=False)
    with TemporaryDirectory() as folder:
        codes = {problem.code for problem in check_folder(stored(Path(folder), alone([rule])))[1]}
    assume(codes & {"P050", "P051"})

    for fields, scores, _ in some_events(seed):
        held, _ = whole(rule, Given(named(scores), fields))

        assert held is not True if "P051" in codes else held is not False


def depth_of(tree: Tree) -> int:
    ((key, value),) = tree.items()
    return 1 + max(map(depth_of, value)) if key in ("all", "any") else 0


@settings(QUICK, max_examples=8)
@given(rules, trees, st.integers(0))
def test_a_rule_called_covered_flags_nothing_that_the_other_does_not(
    rule: SimpleRule, narrower: Tree, seed: int
) -> None:
    wide = replace(rule, mode="live", exempt_scopes=[], seed="a seed")
    # Most pairs of rules have nothing to do with each other; one that asks for more is often covered.
    narrow = replace(wide, when={"all": [rule.when, narrower]} if rule.when else narrower)
    assume(depth_of(narrow.when) <= 3)
    both = alone([wide, narrow])
    with TemporaryDirectory() as folder:
        found = check_folder(stored(Path(folder), both, text=written(both).replace("[l1]", "[l0]")))[1]
    assume(any(problem.message.startswith("p/r0 already") for problem in found))

    for fields, scores, at_ms in some_events(seed):
        listed = interpret(both, [], fields, named(scores), at_ms)["rules"]

        counted = {result["rule"] for result in listed if result["counted"]}
        assert "p/r0" in counted or "p/r1" not in counted


def test_the_interpreter_knows_every_phrase_of_the_language() -> None:
    parsed = [parse_phrase(phrase) for phrase in ["missing", *shares, *limits]]

    assert {phrase.comparison for phrase in parsed if phrase} == set(COMPARISONS)


def named(scores: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(REWARDS, scores, strict=True))


def alone(rules: list[SimpleRule]) -> SimplePolicy:
    return SimplePolicy(
        flags_when_missing=True, flags_when_fact_missing=False, flags_unscored=True, scope={}, rules=rules
    )


def event_of(fields: dict[str, Any]) -> ChatEvent:
    plain = {field: value for field, value in fields.items() if not field.startswith("metadata.")}
    metadata = {
        field.removeprefix("metadata."): value
        for field, value in fields.items()
        if field.startswith("metadata.") and value is not None
    }
    return folders.an_event(**plain, metadata=metadata or None)


def stored(path: Path, policy: SimplePolicy, exempt: Sequence[SimpleExemption] = (), text: str | None = None) -> Path:
    settings = folders.SETTINGS.replace("90 days", "100 days")
    settings = settings if policy.flags_when_missing else settings.replace("missing: flag", "missing: allow")
    settings = settings if policy.flags_unscored else settings.replace("unscored: flag", "unscored: allow")
    settings = settings.replace("metadata.surface: sometimes", "metadata.surface: sometimes, metadata.karma: sometimes")
    settings += f"if_fact_missing: {'flag' if policy.flags_when_fact_missing else 'allow'}\n"
    settings += f"actions: {ACTIONS}\nqueues: [spam, care]\n"
    exemptions = written_exemptions(exempt)
    text = text or written(policy)
    return folders.a_folder(
        path, text, exemptions=exemptions, settings=settings, signals=SIGNALS, calibration=CALIBRATION
    )


def loaded(policy: SimplePolicy, exempt: list[SimpleExemption]) -> PolicySet:
    with TemporaryDirectory() as folder:
        path = stored(Path(folder), policy, exempt)
        errors = {problem.code for problem in check_folder(path)[1] if problem.level == "error"}
        assert errors <= {"P050", "P051"}
        assume(not errors)
        return load_policies(path)


def written(policy: SimplePolicy) -> str:
    # JSON is YAML, and Python's repr of these texts, lists and mappings is close enough to both.
    lines = ["policy: p", "about: x", "owner: x", *([f"applies_to: {policy.scope}"] if policy.scope else []), "rules:"]
    for number, rule in enumerate(policy.rules):
        lines += [f"  - rule: r{number}", "    about: x", f"    mode: {rule.mode}"]
        lines += [f"    when: {rule.when}"] if rule.when else []
        lines += [f"    starts: {rule.starts}"] if rule.starts else []
        lines += [f"    until: {rule.until}"] if rule.until else []
        lines += [f"    rollout: {rule.rollout[0]}% of {rule.rollout[1]}"] if rule.rollout else []
        lines += [f"    rollout_seed: {rule.seed}"] if rule.rollout and rule.seed else []
        lines += [f"    unless: {rule.unless}"] if rule.unless else []
        lines += [f"    applies_to: {rule.scope}"] if rule.scope else []
        lines += [f"    except: {rule.exempt_scopes}"] if rule.exempt_scopes else []
        lines += [f"    if_score_missing: {rule.if_missing}"] if rule.if_missing else []
        lines += [f"    if_fact_missing: {rule.if_fact_missing}"] if rule.if_fact_missing else []
        to_do = f", action: {rule.action}" if rule.action else ""
        to_do += f", queue: {rule.queue}" if rule.queue else ""
        flag = f"flag: {{severity: {rule.severity}, reason: {rule.reason}, labels: [l{number % 2}]{to_do}}}"
        lines += [f"    tag: [l{number % 2}]" if rule.is_tag else f"    {flag}"]
    return "\n".join(lines) + "\n"


def written_exemptions(exempt: Sequence[SimpleExemption]) -> str:
    items = [
        f"  - {{exemption: x{number}, about: x, owner: x, covers: [p/r{one.covers}], applies_to: {one.scope}, "
        f"added: '{one.added}', until: '{one.until}'}}"
        for number, one in enumerate(exempt)
    ]
    return "\n".join(["exemptions:", *items]) if items else "exemptions: []"


@dataclass(frozen=True)
class Given:
    """What signals are read from."""

    scores: dict[str, Any]
    fields: dict[str, Any]

    @property
    def is_unscored(self) -> bool:
        return all(score is None for score in self.scores.values())


def interpret(
    policy: SimplePolicy,
    exempt: list[SimpleExemption],
    fields: dict[str, Any],
    scores: dict[str, Any],
    at_ms: int,
) -> dict[str, Any]:
    given = Given(scores, fields)
    listed, counting, would_flag = [], [], []
    for number, rule in enumerate(policy.rules):
        if rule.mode == "off" or not fit(policy.scope, fields) or not fit(rule.scope, fields):
            continue
        held, conditions = whole(rule, given)
        lacks_score = any(each["holds"] is None and each["signal"] not in FACTS for each in conditions)
        if given.is_unscored and held is None and lacks_score:
            continue
        outcome = {True: "matched", False: "not matched", None: "unknown"}[held]
        fires = held is True or (held is None and flags_unknown(rule, policy, lacks_score=lacks_score))
        result: dict[str, Any] = {
            "rule": f"p/r{number}",
            "mode": rule.mode,
            "severity": None if rule.is_tag else rule.severity,
            "conditions": conditions,
            **({"tags": [f"l{number % 2}"]} if rule.is_tag else {}),
        }
        is_inside = True
        if rule.rollout is not None:
            is_inside = inside(rule.rollout, rule.seed or f"p/r{number}", fields)
            result["rollout"] = "inside" if is_inside else "outside"
        names = [f"except {place}" for place, scope in enumerate(rule.exempt_scopes, start=1) if fit(scope, fields)]
        names += [
            f"x{place}"
            for place, one in enumerate(exempt)
            if one.covers == number and fit(one.scope, fields) and parsed_ms(one.added) <= at_ms < parsed_ms(one.until)
        ]
        if rule.starts and at_ms < parsed_ms(rule.starts):
            result |= {"outcome": "not yet", "counted": False}
        elif rule.until and at_ms >= parsed_ms(rule.until):
            result |= {"outcome": "ended", "counted": False}
        elif fires and names:
            result |= {"outcome": "spared", "spared_by": names[0], "counted": False}
        else:
            result |= {"outcome": outcome, "counted": fires and rule.mode == "live" and is_inside}
            would_flag += [rule] if fires and not rule.is_tag else []
        listed.append(result)
        if result["counted"]:
            unknown = "score_missing" if lacks_score else "fact_missing"
            counting.append((rule, f"l{number % 2}", rule.reason if held else unknown))
    flags = [(rule, reason) for rule, _, reason in counting if not rule.is_tag]
    lacks = any(each["score"] is None and each["signal"] not in FACTS for one in listed for each in one["conditions"])
    by_itself = given.is_unscored and policy.flags_unscored
    severities = [rule.severity for rule, _ in flags] + (["high"] if by_itself else [])
    return {
        "verdict": "flag" if flags or by_itself else "allow",
        "status": "unscored" if given.is_unscored else "degraded" if lacks else "scored",
        "severity": max(severities, key=SEVERITIES.index, default=None),
        "reasons": sorted({reason for _, reason in flags} | ({"unscored"} if given.is_unscored else set())),
        "labels": sorted({label for _, label, _ in counting}),
        "action": strongest([rule for rule, _ in flags]),
        "queues": sorted({rule.queue for rule, _ in flags if rule.queue}),
        "notify": [],
        "rules": listed,
        "shadow_verdict": "flag" if would_flag or by_itself else "allow",
        "shadow_action": strongest(would_flag),
        "signals": {name: shown(human(name, given)) for name in SIMPLE},
    }


def flags_unknown(rule: SimpleRule, policy: SimplePolicy, *, lacks_score: bool) -> bool:
    if rule.is_tag:
        return False
    own, flags = (
        (rule.if_missing, policy.flags_when_missing)
        if lacks_score
        else (rule.if_fact_missing, policy.flags_when_fact_missing)
    )
    return own == "flag" if own else flags


def strongest(rules: list[SimpleRule]) -> str | None:
    return max((rule.action for rule in rules if rule.action), key=ACTIONS.index, default=None)


def inside(rollout: tuple[str, str], seed: str, fields: dict[str, str | None]) -> bool:
    percent, unit = rollout
    unit_id = fields[UNITS[unit]]
    if not unit_id:
        return False
    digest = hashlib.sha256(seed.encode() + b"\n" + unit_id.encode()).hexdigest()
    return int(digest[:16], 16) % 10_000 < 100 * Decimal(percent)


def fit(scope: dict[str, list[str]], fields: dict[str, str | None]) -> bool:
    return all(any(fits(field, pattern, fields[field]) for pattern in patterns) for field, patterns in scope.items())


def fits(field: str, pattern: str, value: Any) -> bool:
    text = as_text(value)
    if field == "locale":
        pattern, text = pattern.lower().replace("_", "-"), text.lower().replace("_", "-")
    return text != "" and (text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern)


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(int(value)) if value == int(value) else ""
    return str(value or "")


def whole(rule: SimpleRule, given: Given) -> tuple[bool | None, list[dict[str, Any]]]:
    when, conditions = (True, []) if rule.when is None else evaluate(rule.when, "when", given)
    if rule.unless is None:
        return when, conditions
    unless, more = evaluate(rule.unless, "unless", given)
    negated = None if unless is None else not unless
    return combine("all", [when, negated]), conditions + more


def evaluate(tree: Tree, part: str, given: Given) -> tuple[bool | None, list[dict[str, Any]]]:
    ((key, value),) = tree.items()
    if key not in ("all", "any"):
        condition = compare(part, key, value, given)
        return condition["holds"], [condition]
    parts = [evaluate(item, part, given) for item in value]
    return combine(key, [held for held, _ in parts]), [condition for _, some in parts for condition in some]


def combine(kind: str, values: list[bool | None]) -> bool | None:
    decisive = kind == "any"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def compare(part: str, signal: str, phrase: str, given: Given) -> dict[str, Any]:
    score = human(signal, given)
    result = {"part": part, "signal": signal, "phrase": phrase, "score": shown(score), "borderline": False}
    if given.is_unscored and signal not in FACTS:
        return result | {"holds": None, "margin": None, "cause": "absent"}
    if phrase == "missing":
        return result | {"holds": score is None, "margin": None}
    if score is None:
        causes = [cause_of(member, given) for member in SIMPLE[signal].members or (signal,)]
        return result | {"holds": None, "margin": None, "cause": next(cause for cause in causes if cause)}
    words, number = phrase.rsplit(" ", 1)
    if number.endswith("%"):
        limit, words = quantile(signal, words, Decimal(number[:-1])), "at most" if "lowest" in words else "at least"
    else:
        limit = Decimal(number)
    holds = {"below": score < limit, "at most": score <= limit, "at least": score >= limit, "above": score > limit}
    margin = limit - score if words in ("below", "at most") else score - limit
    noise = NOISE.get(signal)
    is_borderline = noise is not None and abs(margin) <= noise
    return result | {"holds": holds[words], "margin": float(margin), "borderline": is_borderline}


def quantile(signal: str, words: str, percent: Decimal) -> Decimal:
    """The calibration of the tests: rank i of every reward is i / 1000."""
    spelt = SIMPLE[signal]
    is_low_reward = ("lowest" in words) == (spelt.multiply > 0)
    rank = 10 * percent if is_low_reward else 1000 - 10 * percent
    return on_scale(spelt, rank / 1000)


def on_scale(signal: SimpleSignal, reward: Decimal) -> Decimal:
    return reward * signal.multiply + Decimal(signal.add)


def human(signal: str, given: Given) -> Decimal | None:
    spelt = SIMPLE[signal]
    if spelt.members:
        members = [score for member in spelt.members if (score := human(member, given)) is not None]
        pick = min if spelt.pick == "lowest" else max
        return pick(members) if len(members) == len(spelt.members) else None
    if cause_of(signal, given):
        return None
    return fact(given.fields[f"metadata.{signal}"]) if spelt.fact else on_scale(spelt, rounded(given.scores[spelt.of]))


def fact(value: Any) -> Decimal:
    return Decimal(value.strip() if isinstance(value, str) else value).quantize(MICRO, rounding=ROUND_HALF_EVEN)


def shown(score: Decimal | None) -> float | None:
    return None if score is None else float(score)


def cause_of(signal: str, given: Given) -> str | None:
    spelt = SIMPLE[signal]
    low, high = map(Decimal, spelt.plausible or ("-1000000000", "1000000000"))
    if spelt.fact:
        value = given.fields[f"metadata.{signal}"]
        if value is None or value == "":
            return "absent"
        if isinstance(value, bool) or value in ("x", "1e0"):
            return "not_a_number"
        return None if low <= fact(value) <= high else "implausible"
    reward = given.scores[spelt.of]
    if reward is None:
        return "absent"
    if not isinstance(reward, float):
        return "not_a_number"
    if not Decimal(reward).is_finite():
        return "not_finite"
    if abs(rounded(reward)) > 1000:
        return "implausible"
    return None if low <= on_scale(spelt, rounded(reward)) <= high else "implausible"


def rounded(reward: float) -> Decimal:
    exact = Decimal(reward)
    return exact if abs(exact) > 10_000 else exact.quantize(MICRO, rounding=ROUND_HALF_EVEN)
