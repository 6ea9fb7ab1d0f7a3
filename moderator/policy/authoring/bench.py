"""What a policy folder costs per event: reading the text signals, and judging."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeVar

from moderator.events import ChatEvent
from moderator.policy.engine.judge import Judge
from moderator.policy.policy_set import PolicySet
from moderator.policy.test_runner import objectives_of
from moderator.policy.text.text_signals import TextSignals

_MEASURED_NS: Final = 300_000_000
"""How long each thing is measured, at least; an event at a time."""
_MOST_ROUNDS: Final = 200
_SHOWN: Final = 5
_USUAL_REWARD: Final = 0.5

T = TypeVar("T")


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
    signals = TextSignals(sources)
    objectives = objectives_of(policies)
    judge, rewards = _judge(policies, objectives), [_USUAL_REWARD] * len(objectives)
    read = [event._replace(text_scores=_read(signals, event)) for event in events]
    texts = _times_us(lambda event: _read(signals, event), events)
    judged = _times_us(lambda event: judge.decide(event, rewards, 0), read)
    alone = {name: TextSignals({name: source}) for name, source in sources.items()}
    costs = {name: median(_times_us(_reader(each), events)) for name, each in alone.items()}
    return Cost(
        len(events),
        median(texts) if sources else 0.0,
        median(judged),
        median(map(sum, zip(texts, judged, strict=True))) if sources else median(judged),
        tuple(sorted(costs.items(), key=lambda each: -each[1])[:_SHOWN]),
    )


def _judge(policies: PolicySet, objectives: Sequence[str]) -> Judge:
    return policies.bind(objectives)


def _read(signals: TextSignals, event: ChatEvent) -> Mapping[str, float | None]:
    return signals.read(event.conversation[-1].content, event.user, event.metadata).numbers


def _reader(signals: TextSignals) -> Callable[[ChatEvent], object]:
    return lambda event: _read(signals, event)


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
