"""What a policy folder costs per event: reading the text signals, and judging."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from moderator.events import ChatEvent
from moderator.policy.policy_set import PolicySet
from moderator.policy.test_runner import objectives_of
from moderator.policy.text.text_signals import TextSignals

_MEASURED_NS: Final = 300_000_000
"""How long each thing is measured, at least; an event at a time."""
_MOST_ROUNDS: Final = 200
_SHOWN: Final = 5
_USUAL_REWARD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per event, medians over events and rounds.

    Attributes:
        events: how many there are.
        dearest: the five text signals that cost most when read alone, dearest first.
    """

    events: int
    text_us: float
    judge_us: float
    total_us: float
    dearest: tuple[tuple[str, float], ...]


def measure(policies: PolicySet, events: Sequence[ChatEvent]) -> Cost:
    """Measure on n >= 1 events, without a model: each score is the same for every event."""
    sources = {signal.name: signal.text for signal in policies.signals if signal.text is not None}
    every = TextSignals(sources)
    judge = policies.bind(objectives_of(policies))
    rewards = [_USUAL_REWARD] * len(objectives_of(policies))
    texts = _times_us(every.measure, events) if sources else [0.0] * len(events)
    judged = _times_us(lambda event: judge.decide(event, rewards, 0), [every.measure(event)[0] for event in events])
    alone = {name: median(_times_us(TextSignals({name: each}).measure, events)) for name, each in sources.items()}
    return Cost(
        len(events),
        median(texts),
        median(judged),
        median(map(sum, zip(texts, judged, strict=True))),
        tuple(sorted(alone.items(), key=lambda each: -each[1])[:_SHOWN]),
    )


def _times_us(do: Callable[[ChatEvent], object], events: Sequence[ChatEvent]) -> list[float]:
    """Give the median time of each event."""
    times: list[list[int]] = [[] for _ in events]
    started = time.perf_counter_ns()
    for _ in range(_MOST_ROUNDS):
        for event, of_event in zip(events, times, strict=True):
            before = time.perf_counter_ns()
            do(event)
            of_event.append(time.perf_counter_ns() - before)
        if time.perf_counter_ns() - started > _MEASURED_NS:
            break
    return [median(of_event) / 1_000 for of_event in times]
