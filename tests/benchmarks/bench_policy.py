"""How long twenty rules take for one event, beside the same comparisons written out by hand.

    python -m tests.benchmarks.bench_policy [--events 1000]

The last line on stdout is JSON. Exit 1: the bound of 20 microseconds an event is not met.
"""

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from moderator.events import ChatEvent, Turn
from moderator.policy import Judge, load_policies

BOUND_US = 20.0
RULES = 20
_LIMITS = tuple(number / 100 for number in range(10, 10 + RULES))
ROUNDS = 40
OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness", "helpsteer-correctness", "ultrafeedback-honesty")
SETTINGS = """\
format: 1
if_score_missing: flag
if_unscored: flag
fields: {speaker: always, tenant: always, channel: always, locale: sometimes, role: sometimes}
reasons: [unsafe_content, low_quality]
"""
SIGNALS = """\
signals:
  safety:      {about: How safe, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
  helpfulness:
    {about: How useful, from: helpsteer-helpfulness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  correctness:
    {about: How correct, from: helpsteer-correctness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  usefulness:  {about: The worse of the two, lowest_of: [helpfulness, correctness]}
"""
CONDITIONS = (
    "safety: below 0.{:02}",
    "helpfulness: below 1.{:02}",
    "usefulness: at most 0.{:02}",
    "all: [safety: below 0.5, usefulness: below 1.{:02}]",
    "any: [safety: below 0.{:02}, correctness: below 0.5]",
)
EXTRAS = {
    3: "unless: {correctness: at least 3.0}",
    7: "except: [{role: staff}]",
    11: "rollout: 25% of users",
    15: "starts: 2026-10-01",
}
"""One condition in three rules of five, two in the others, and now and then something more, as in real policies."""


def main() -> int:
    """Measure, print a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000, help="events a round")
    count = parser.parse_args().events
    draw = random.Random(1)
    rewards = [tuple(min(1.0, max(0.0, draw.gauss(0.7, 0.2))) for _ in OBJECTIVES) for _ in range(count)]
    events = [an_event(f"user-{number}") for number in range(count)]
    judge = a_judge()
    # As the stream does: what start-up made is never looked at again, and what an event leaves holds no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    rounds = [(per_event_us(rewards, by_hand), per_event_us(rewards, judging(judge, events))) for _ in range(ROUNDS)]
    hand_us, judge_us = (min(column) for column in zip(*rounds, strict=True))
    print(f"{RULES} rules: {judge_us:.1f} us an event; the bare comparisons: {hand_us:.1f} us")
    result = {"rules": RULES, "judge_us": round(judge_us, 2), "bare_us": round(hand_us, 2), "bound_us": BOUND_US}
    print(json.dumps(result))
    return 0 if judge_us < BOUND_US else 1


def per_event_us(rewards: Sequence[tuple[float, ...]], decide: Callable[[int, tuple[float, ...]], object]) -> float:
    """CPU microseconds for each event."""
    began_s = time.process_time()
    for number, each in enumerate(rewards):
        decide(number, each)
    return (time.process_time() - began_s) * 1e6 / len(rewards)


def judging(judge: Judge, events: Sequence[ChatEvent]) -> Callable[[int, tuple[float, ...]], object]:
    """Decide on the event of that number."""
    return lambda number, rewards: judge.decide(events[number], rewards, 1_791_201_600_000)


def by_hand(_: int, rewards: tuple[float, ...]) -> object:
    """Make the comparisons of all rules with nothing recorded."""
    safety, helpfulness, correctness = rewards[:3]
    usefulness = min(helpfulness, correctness)
    return [
        *(safety < limit for limit in _LIMITS[0::5]),
        *(helpfulness < limit for limit in _LIMITS[1::5]),
        *(usefulness <= limit for limit in _LIMITS[2::5]),
        *(safety < 0.5 and usefulness < limit for limit in _LIMITS[3::5]),
        *(safety < limit or correctness < 0.2 for limit in _LIMITS[4::5]),
    ]


def a_judge() -> Judge:
    """Twenty rules of every kind, live and shadow."""
    rules = [a_rule(number) for number in range(RULES)]
    policy = f"policy: bench\nabout: x\nowner: x\napplies_to: {{speaker: assistant}}\nrules:\n{''.join(rules)}"
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {"settings": SETTINGS, "signals": SIGNALS, "bench": policy}.items():
            (folder / f"{file}.yaml").write_text(text)
        return load_policies(folder).bind(OBJECTIVES)


def a_rule(number: int) -> str:
    """Every fifth one of a kind."""
    when = CONDITIONS[number % 5].format(10 + number)
    lines = [f"rule: r{number}", "about: x", f"mode: {'shadow' if number % 5 == 0 else 'live'}", f"when: {{{when}}}"]
    lines += [EXTRAS[number]] if number in EXTRAS else []
    return "  - " + "\n    ".join([*lines, "flag: {severity: medium, reason: low_quality}"]) + "\n"


def an_event(user: str) -> ChatEvent:
    """One that every rule is for."""
    turns = (Turn("user", "How?"), Turn("assistant", "So."))
    return ChatEvent("evt-1", turns, tenant="acme", channel="general", locale="en-GB", user=user, role="member")


if __name__ == "__main__":
    sys.exit(main())
