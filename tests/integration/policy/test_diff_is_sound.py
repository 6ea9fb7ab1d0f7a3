"""What `diff` claims is held against the judge: random pairs of policy sets, random events, scores and times."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.events import ChatEvent
from moderator.policy import PolicySet
from moderator.policy.analysis.diff import Claim, diff
from moderator.policy.language.ast import Condition, Expression, FieldMatch, Group, Rollout, Rule, Scope
from moderator.policy.language.comparisons import COMPARISONS
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, MODEL, OBJECTIVES, SETTINGS, SIGNALS, a_set, an_event

CLAIMS: list[Claim | None] = ["flags the same", "can only flag more", "can only flag less", None]
DAY_MS = 86_400_000
TIMES = [None, 10 * DAY_MS, 20 * DAY_MS, 30 * DAY_MS]
MOMENTS = [0, 10 * DAY_MS, 15 * DAY_MS, 20 * DAY_MS, 30 * DAY_MS, 40 * DAY_MS]
LIMITS = [Fraction(3, 10), Fraction(1, 2), Fraction(1)]
PERCENTS = [Fraction(2), Fraction(10)]
REWARDS: list[float | None] = [
    *(None, -1.0, 0.02, 0.020001, 0.1, 0.16, 0.2, 0.299999, 0.3),
    *(0.300001, 0.5, 0.9, 0.98, 1.0, 2000.0),
]
# The same rewards as safety's, turned round, and unknown where they are very low.
RISK = """\
  risk:
    about: How unsafe
    from: beavertails-is_safe
    scale: {multiply: -1, add: 1, low: 0, high: 1}
    good: low
    plausible: {low: 0, high: 0.9}
"""
FACTS = """\
  age:
    about: Age of the account
    from_event: metadata.age
    scale: {low: 0}
    good: high
  visits:
    about: The same number, where it is plausible
    from_event: metadata.age
    scale: {}
    good: none
    plausible: {low: 0, high: 0.9}
"""
SENT: list[Any] = [None, "", -1, 0.299999, "0.3", 0.5, 0.9, 1, 2, 10**12]


@cache
def the_example() -> PolicySet:
    with TemporaryDirectory() as folder:
        settings = f"{SETTINGS}if_fact_missing: allow\n"
        return a_set(
            Path(folder), CHAT_SAFETY, exemptions=EXEMPTIONS, signals=SIGNALS + RISK + FACTS, settings=settings
        )


class Dice:
    """Draws parts of rules and whole policy sets."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pick(self, *options: Any) -> Any:
        return self.random.choice(options)

    def condition(self) -> Condition:
        signal = self.pick(*the_example().signals)
        comparison, span = self.pick(*COMPARISONS), the_example().rules[0].span
        percent, limit = self.pick(*PERCENTS), self.pick(*LIMITS)
        if comparison.takes == "percent" and signal.kind != "score":
            return self.condition()
        if comparison.takes == "nothing":
            return Condition(signal, comparison, None, comparison.write(""), span)
        if comparison.takes == "percent":
            return Condition(signal, comparison, None, comparison.write(f"{percent}%"), span, percent)
        return Condition(signal, comparison, limit, comparison.write(f"{float(limit)}"), span)

    def expression(self) -> Expression | None:
        return None if self.random.random() < 0.1 else self.some_conditions()

    def some_conditions(self) -> Expression:
        parts = tuple(self.condition() for _ in range(self.pick(1, 1, 2)))
        return parts[0] if len(parts) == 1 else Group(self.pick("all", "any"), parts)

    def line(self) -> FieldMatch:
        field, values = self.pick(("tenant", ["acme", "beta"]), ("speaker", ["assistant", "user"]))
        prefixes = self.pick((), (), ("a",), ("",), ("be", "u"))
        return FieldMatch(field, frozenset(self.random.sample(values, 0 if prefixes else self.pick(1, 2))), prefixes)

    def scope(self, least: int = 0) -> Scope:
        return tuple(self.line() for _ in range(self.random.randint(least, 1)))

    def rollout(self) -> Rollout | None:
        percent, unit = Fraction(self.pick(25, 60, 100)), self.pick("users", "tenants")
        seed = self.pick("one", "other")
        return None if self.random.random() < 0.6 else Rollout(percent, unit, seed, has_own_seed=True)

    def part(self, name: str) -> Any:
        draw = {
            "mode": lambda: self.pick("live", "live", "live", "shadow"),
            "scope": self.scope,
            "when": self.expression,
            "unless": lambda: self.pick(None, self.condition()),
            "exempt_scopes": lambda: self.pick((), (), (self.scope(least=1),)),
            "flags_when_missing": lambda: self.pick(True, False),
            "flags_when_fact_missing": lambda: self.pick(True, False),
            "flag": lambda: self.pick(*[the_example().rules[0].flag] * 6, None),
            "starts_ms": lambda: self.pick(None, *TIMES),
            "until_ms": lambda: self.pick(None, *TIMES),
            "rollout": self.rollout,
        }
        return draw[name]()

    PARTS = (
        "mode",
        "scope",
        "when",
        "unless",
        "exempt_scopes",
        "flags_when_missing",
        "flags_when_fact_missing",
        "flag",
        "starts_ms",
        "until_ms",
        "rollout",
    )

    def rule(self, number: int) -> Rule:
        parts = {name: self.part(name) for name in self.PARTS}
        return replace(the_example().rules[0], id=f"chat-safety/{number}", **parts)

    def changed(self, rule: Rule) -> Rule:
        name = self.pick(*self.PARTS)
        return replace(rule, **{name: self.part(name)})

    def pair(self) -> tuple[PolicySet, PolicySet]:
        rules = tuple(self.rule(number) for number in range(self.pick(1, 1, 2)))
        moved = tuple(self.changed(rule) for rule in rules[: self.pick(1, 2)])
        return self.version(rules), self.version(moved)

    def version(self, rules: tuple[Rule, ...]) -> PolicySet:
        some = replace(the_example().exemptions[0], covers=("chat-safety/0",), scope=self.scope(least=1))
        timed = replace(some, added_ms=self.pick(*MOMENTS[:3]), until_ms=self.pick(*MOMENTS[3:]))
        return replace(
            the_example(),
            settings=replace(the_example().settings, unscored_verdict=self.pick("flag", "flag", "allow")),
            policies=(replace(the_example().policies[0], rules=rules),),
            exemptions=self.pick((), (), (timed,)),
        )

    def event(self) -> tuple[ChatEvent, list[float | None], int]:
        event = an_event(
            speaker=self.pick("assistant", "user", "tool"),
            tenant=self.pick("acme", "beta", "a", None),
            user=self.pick("user-1", "user-5", "user-9", None),
            metadata={"age": self.pick(*SENT)},
        )
        is_unscored = self.random.random() < 0.1
        return event, [None if is_unscored else self.pick(*REWARDS) for _ in OBJECTIVES], self.pick(*MOMENTS)


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=50, deadline=None)
def test_no_event_goes_against_what_diff_claims(seed: int) -> None:
    dice = Dice(seed)
    old, new = dice.pair()

    claim = diff(old, new).claim

    before, after = (policies.bind(OBJECTIVES, MODEL) for policies in (old, new))
    for _ in range(60):
        event, rewards, at_ms = dice.event()
        was = before.decide(event, rewards, at_ms).verdict
        now = after.decide(event, rewards, at_ms).verdict
        assert claim != "can only flag more" or (was, now) != ("flag", "allow")
        assert claim != "can only flag less" or (was, now) != ("allow", "flag")
        assert claim != "flags the same" or was == now


def test_each_claim_comes_up_among_random_pairs() -> None:
    claims = Counter(diff(*Dice(seed).pair()).claim for seed in range(40))

    assert min(claims[claim] for claim in CLAIMS) >= 3
