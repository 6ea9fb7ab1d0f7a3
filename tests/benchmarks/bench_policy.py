"""How long twenty rules take for one event, beside the same comparisons written out by hand.

Fourteen are for replies and six for what users write, as a folder has them; and once more with all twenty for replies.
Every comparison that applies is recorded with its margin. Rounds alternate and the least counts, in CPU time. Also how
long a folder of two hundred rules of five comparisons each is checked, which every start and reload does. The last line
on stdout is JSON. Exit 1: the first takes 20 microseconds or more.
"""

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from moderator.events import ChatEvent, Turn
from moderator.policy import Judge, load_policies
from tests.benchmarks import text_load
from tests.unit.policy.folders import OBJECTIVES, SETTINGS

BOUND_US = 20.0
RULES = 20
_LIMITS = tuple(number / 100 for number in range(10, 10 + RULES))
ROUNDS = 40
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
CHECKED_RULES = 200
WIDE_CONDITION = (
    "all: [safety: below {0:.3f}, any: [helpfulness: below {1:.2f}, correctness: below {1:.2f}],"
    " any: [usefulness: above {1:.2f}, correctness: above {1:.2f}]]"
)
EXTRAS = {
    3: "unless: {correctness: at least 3.0}",
    7: "except: [{role: staff}]",
    11: "rollout: 25% of users",
    15: "starts: 2026-10-01",
}
"""One condition in three rules of five, two in the others, and now and then something more, as in real policies."""


def main() -> int:
    """Measure, print a line for people and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000, help="events a round")
    count = parser.parse_args().events
    draw = random.Random(1)
    rewards = [tuple(min(1.0, max(0.0, draw.gauss(0.7, 0.2))) for _ in OBJECTIVES) for _ in range(count)]
    events = [an_event(f"user-{number}") for number in range(count)]
    mixed, all_apply = a_judge(for_users=6), a_judge(for_users=0)
    # As the stream does: what start-up made is never looked at again, and what an event leaves holds no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    ways = (by_hand, judging(mixed, events), judging(all_apply, events))
    rounds = [[per_event_us(rewards, way) for way in ways] for _ in range(ROUNDS)]
    bare_us, mixed_us, all_us = (round(min(column), 1) for column in zip(*rounds, strict=True))
    print(f"{RULES} rules, 14 of which apply: {mixed_us} us an event; all apply: {all_us} us; bare: {bare_us} us")
    check_ms = round(min(checking_ms(CHECKED_RULES) for _ in range(3)))
    print(f"{CHECKED_RULES} rules of five comparisons are checked in {check_ms} ms")
    texts, is_text_fast = text_figures()
    result = {"rules": RULES, "judge_us": mixed_us, "all_apply_us": all_us, "bare_us": bare_us, "bound_us": BOUND_US}
    print(json.dumps({**result, "check_ms": check_ms, **texts}))
    return 0 if mixed_us < BOUND_US and is_text_fast else 1


def text_figures() -> tuple[dict[str, float], bool]:
    """Measure text signals, print a line for people; give the figures, and whether they keep their bounds."""
    signals = text_load.some_signals()
    ascii_us, mixed_us = (round(text_load.event_us(signals, is_ascii=each), 1) for each in (True, False))
    long_ms = text_load.long_ms(signals)
    slowest = max(long_ms, key=long_ms.__getitem__)
    check_s, check_mb = text_load.folder_check()
    print(f"text signals: {ascii_us} us an event of 200 ASCII characters, {mixed_us} us with 1 % others")
    print(f"a mebibyte: at most {long_ms[slowest]:.0f} ms ({slowest})")
    print(f"a folder with 100,000 entries is checked in {check_s:.1f} s and {check_mb:.0f} MB")
    figures = {
        "text_us": ascii_us,
        "text_mixed_us": mixed_us,
        "mebibyte_ms": round(long_ms[slowest]),
        "entries_check_s": round(check_s, 1),
        "entries_check_mb": round(check_mb),
    }
    is_event_fast = ascii_us <= text_load.BOUND_US and mixed_us <= text_load.MIXED_BOUND_US
    return figures, is_event_fast and long_ms[slowest] <= text_load.LONG_BOUND_MS


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


def checking_ms(count: int) -> float:
    """CPU milliseconds to read and check rules each of which might cover any other."""
    rules = [a_rule(number, WIDE_CONDITION.format(number / count, 4 * number / count)) for number in range(count)]
    with TemporaryDirectory() as name:
        folder = a_folder(Path(name), {"replies": ("assistant", rules)})
        began_s = time.process_time()
        load_policies(folder)
        return (time.process_time() - began_s) * 1e3


def a_judge(*, for_users: int) -> Judge:
    """Twenty rules of every kind, live and shadow; the last `for_users` are not for replies."""
    rules = [a_rule(number, CONDITIONS[number % 5].format(10 + number)) for number in range(RULES)]
    policies = {"replies": ("assistant", rules[: RULES - for_users]), "messages": ("user", rules[RULES - for_users :])}
    with TemporaryDirectory() as name:
        return load_policies(a_folder(Path(name), policies)).bind(OBJECTIVES)


def a_folder(folder: Path, policies: Mapping[str, tuple[str, Sequence[str]]]) -> Path:
    """Write settings, signals, and of each policy its speaker and rules."""
    (folder / "settings.yaml").write_text(SETTINGS)
    (folder / "signals.yaml").write_text(SIGNALS)
    for policy, (speaker, own) in policies.items():
        head = f"policy: {policy}\nabout: x\nowner: x\napplies_to: {{speaker: {speaker}}}\nrules:\n"
        if own:
            (folder / f"{policy}.yaml").write_text(head + "".join(own))
    return folder


def a_rule(number: int, when: str) -> str:
    """One rule; every fifth is a shadow."""
    lines = [f"rule: r{number}", "about: x", f"mode: {'shadow' if number % 5 == 0 else 'live'}", f"when: {{{when}}}"]
    lines += [EXTRAS[number]] if number in EXTRAS else []
    return "  - " + "\n    ".join([*lines, "flag: {severity: medium, reason: low_quality}"]) + "\n"


def an_event(user: str) -> ChatEvent:
    """One that every rule is for."""
    turns = (Turn("user", "How?"), Turn("assistant", "So."))
    return ChatEvent("evt-1", turns, tenant="acme", channel="general", locale="en-GB", user=user, role="member")


if __name__ == "__main__":
    sys.exit(main())
