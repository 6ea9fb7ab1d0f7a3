"""Rules with a limit that is swept, and decisions on all sides of it."""

from random import Random

from moderator.backtest.counting.limits import LimitReport
from moderator.policy import PolicySet
from tests.unit.backtest.decisions import recorded
from tests.unit.policy.folders import a_rule

BESIDE = a_rule("correctness: below 0.5", name="incorrect")
COMPARISONS = ("below", "at most", "at least", "above")


def some_events(policies: PolicySet) -> list[bytes]:
    chance = Random(3)
    steps = [nth / 100 for nth in range(101)]
    rewards = [[chance.choice(steps) for _ in range(4)] for _ in range(120)]
    roles = [chance.choice(["member", "staff"]) for _ in rewards]
    return [
        *(recorded(policies, *each, id=f"evt-{nth}", role=roles[nth]) for nth, each in enumerate(rewards)),
        recorded(policies, 2_000.0, *rewards[0][1:]),
        recorded(policies),
    ]


def a_rule_with(comparison: str, limit: float, mode: str = "live") -> str:
    when = f"all:\n  - safety: {comparison} {limit:.3f}\n  - helpfulness: below 3.0"
    return a_rule(when, mode=mode, more="unless: {correctness: at least 2.9}\nexcept: [{role: staff}]")


def limit_of(report_limits: tuple[LimitReport, ...], signal: str = "safety") -> LimitReport:
    return next(limit for limit in report_limits if limit.signal == signal and limit.rule.endswith("unsafe-reply"))
