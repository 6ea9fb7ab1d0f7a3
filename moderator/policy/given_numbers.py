"""Numbers that somebody gives for signals, as a judge reads them: rewards, and an event that carries the others."""

from collections.abc import Iterable, Mapping, Sequence

from moderator.events import ChatEvent
from moderator.policy.language.ast import Signal, Source
from moderator.policy.language.scale import MILLION

Numbers = Mapping[Source, int | None]
"""What signals are read from -> whole millionths of a reward or a fact; None: missing."""


def by_source(micro_by_signal: Mapping[str, int | None], signals: Iterable[Signal]) -> dict[Source, int | None]:
    """Give the numbers of signals, derived ones aside, by what they are read from."""
    plain = (signal for signal in signals if not signal.members)
    return {signal.source: micro_by_signal[signal.name] for signal in plain if signal.name in micro_by_signal}


def rewards_from(numbers: Numbers, objectives: Sequence[str]) -> list[float | None]:
    """Give the rewards in the order of the objectives; one that is not given is missing."""
    micros = (numbers.get(("score", objective)) for objective in objectives)
    return [None if micro is None else micro / MILLION for micro in micros]


def event_with(event: ChatEvent, numbers: Numbers) -> ChatEvent:
    """Let an event carry the facts and measures of its text among the numbers; what is missing it then lacks."""
    facts = {key: micro for (kind, key), micro in numbers.items() if kind == "fact"}
    metadata = {key: value for key, value in (event.metadata or {}).items() if key not in facts}
    metadata |= {key: _number(micro) for key, micro in facts.items() if micro is not None}
    texts = {name: micro for (kind, name), micro in numbers.items() if kind == "text"}
    measured = {name: None if micro is None else micro / MILLION for name, micro in texts.items()}
    return event._replace(metadata=metadata, text_scores={**(event.text_scores or {}), **measured})


def _number(micro: int) -> float:
    return micro / MILLION if micro % MILLION else micro // MILLION
