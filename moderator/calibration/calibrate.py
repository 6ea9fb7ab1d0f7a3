"""Writes `policies/calibration/NAME.json`: how one model's rewards were spread over recorded events, frozen.

Percent phrases read it: `in the lowest P%` is reward <= q[10P], `in the highest P%` is reward >= q[1000-10P].
Rewards are raw and by objective, so that no edit of signals.yaml makes a file stale; a signal whose scale multiplies
by less than zero reverses the quantiles. The file is JSON, one object:

    {"format": 1,
     "model": {"name": "ArmoRM-Llama3-8B-v0.1", "fingerprint": "sha256:…", "dtype": "bfloat16"},
     "framing": "reply/2",
     "window": {"from": "2026-10-01T00:00:00.000Z", "until": "2026-10-08T00:00:00.000Z"},
     "events": 120000,
     "quantiles": {"beavertails-is_safe": [0.0123, …]},
     "derived": {"usefulness": {"least_of": ["helpsteer-helpfulness", …], "quantiles": [0.0123, …]}},
     "noise": {"beavertails-is_safe": 0.004}}

- `model`: as the decisions recorded it; the fingerprint identifies the revision. One model a file.
- `window`: when the first and the last of the events were decided (`decided_at`), both included.
- `events`: scored events counted, 1,000 or more; those without any score are not among them.
- `quantiles`: objective -> q[0..1000], nearest rank: with n usable rewards sorted, q[i] is number
  max(1, ceil(i n / 1000)). Rewards as recorded: rounded half to even to 6 decimals, rising. An objective with fewer
  than 1,000 usable rewards is left out.
- `derived`: signal of `lowest_of` or `highest_of` -> which of whose rewards it is, and that reward's q[0..1000], which
  do not follow from those of its members; empty without any. One whose signal has other members now is stale.
- `noise`: objective -> how far one text's reward may be from its reward when scored alone, as `model
  calibrate --model` measured it, rounded up; null where it was not measured.

Written with sorted keys, one list a line, so that a change can be read in review.
"""

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from moderator.backtest.study import Position
from moderator.errors import ConfigurationError
from moderator.events import Decision
from moderator.policy.files.signals.calibrations import MIN_EVENTS, QUANTILES
from moderator.policy.language.ast import Signal
from moderator.policy.language.scale import MAX_REWARD, MILLION, micro_from

Model = tuple[str, str, str, str]
"""Name, fingerprint, dtype and framing."""
Noise = Mapping[str, float]


@dataclass(slots=True)
class Spread:
    """Every reward of every scored event.

    Attributes:
        rewards: objective -> whole millionths, in no order.
        derived: derived signal -> the same of the reward that it is.
        models: scored events by the model that scored them.
        first, last: when the earliest and the latest of them were decided.
    """

    rewards: dict[str, "array[int]"] = field(default_factory=dict)
    derived: dict[str, "array[int]"] = field(default_factory=dict)
    models: Counter[Model] = field(default_factory=Counter)
    first: str = ""
    last: str = ""

    def merge(self, other: Self) -> None:
        """Add what another process collected."""
        for mine, others in ((self.rewards, other.rewards), (self.derived, other.derived)):
            for name, values in others.items():
                mine.setdefault(name, array("q")).extend(values)
        self.models += other.models
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)


class RewardCollector:
    """Collects rewards, those of derived signals too; a `study.Study`."""

    def __init__(self, derived: Sequence[Signal]) -> None:
        self._derived = derived
        self.counted = Spread()

    def add(self, position: Position, decision: Decision) -> None:  # noqa: ARG002 - order does not matter here
        """Collect one event's rewards; an event without any is skipped."""
        rewards, spread, model = decision["scores"]["objectives"], self.counted, decision["model"]
        known = {name: micro for name, reward in rewards.items() if (micro := _micro(reward)) is not None}
        if not known:
            return
        spread.models[model["name"], model["fingerprint"], model["dtype"], decision["framing"]] += 1
        spread.first = min(spread.first or decision["decided_at"], decision["decided_at"])
        spread.last = max(spread.last, decision["decided_at"])
        for name, micro in known.items():
            _append(spread.rewards, name, micro)
        for signal in self._derived:
            if all(objective in known for objective in signal.objectives):
                choose = min if signal.reward_pick == "least" else max
                _append(spread.derived, signal.name, choose(known[objective] for objective in signal.objectives))


def calibration_record(spread: Spread, derived: Iterable[Signal], noise: Noise) -> dict[str, object]:
    """Give the file's content.

    Args:
        spread: what was collected.
        derived: the signals that it was collected for.
        noise: by objective, in raw units; what is not named was not measured.

    Raises:
        ConfigurationError: fewer than 1,000 scored events, or several models.
    """
    name, fingerprint, dtype, framing = model_of(spread)
    quantiles = dict(_quantiles(spread.rewards))
    return {
        "format": 1,
        "model": {"name": name, "fingerprint": fingerprint, "dtype": dtype},
        "framing": framing,
        "window": {"from": spread.first, "until": spread.last},
        "events": spread.models.total(),
        "quantiles": quantiles,
        "derived": dict(_derived_records(spread, derived)),
        "noise": {objective: _rounded_up(noise.get(objective)) for objective in quantiles},
    }


def model_of(spread: Spread) -> Model:
    """Give the one model that scored.

    Raises:
        ConfigurationError: fewer than 1,000 events were scored, or several models scored them.
    """
    if not spread.models:
        raise ConfigurationError("none of the events was scored: there is nothing to calibrate from")
    if len(spread.models) > 1:
        counts = "; ".join(
            f"{events:,} by {name} ({dtype}, {framing}, {fingerprint})"
            for (name, fingerprint, dtype, framing), events in spread.models.most_common()
        )
        raise ConfigurationError(f"several models scored these events, and a calibration is of one: {counts}")
    events = spread.models.total()
    if events < MIN_EVENTS:
        raise ConfigurationError(f"{events:,} scored events are too few: a calibration needs {MIN_EVENTS:,} or more")
    return next(iter(spread.models))


def calibration_text(record: Mapping[str, object]) -> str:
    """Write the file: sorted keys, one list a line."""
    return "".join(_lines(record, 0)) + "\n"


def nearest_ranks(values: Sequence[int]) -> list[int]:
    """Give q[0..1000] of n >= 1 values: number max(1, ceil(i n / 1000)) of the sorted ones, from 1."""
    ordered = np.sort(np.asarray(values, dtype=np.int64))
    steps = QUANTILES - 1
    ranks = [max(1, -(-step * len(ordered) // steps)) for step in range(QUANTILES)]
    return [int(ordered[rank - 1]) for rank in ranks]


def _quantiles(rewards: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, list[float]]]:
    for name, values in rewards.items():
        if len(values) >= MIN_EVENTS:
            yield name, [micro / MILLION for micro in nearest_ranks(values)]


def _derived_records(spread: Spread, derived: Iterable[Signal]) -> Iterator[tuple[str, dict[str, object]]]:
    quantiles = dict(_quantiles(spread.derived))
    for signal in derived:
        if signal.name in quantiles:
            objectives = list(signal.objectives)
            yield signal.name, {f"{signal.reward_pick}_of": objectives, "quantiles": quantiles[signal.name]}


def _append(rewards: dict[str, "array[int]"], name: str, micro: int) -> None:
    values = rewards.get(name)
    if values is None:
        values = rewards[name] = array("q")
    values.append(micro)


def _micro(reward: float | None) -> int | None:
    if reward is None:
        return None
    if not -MAX_REWARD <= reward <= MAX_REWARD:
        return None
    return micro_from(reward)


def _rounded_up(noise: float | None) -> float | None:
    return None if noise is None else math.ceil(noise * MILLION) / MILLION


def _lines(value: object, depth: int) -> Iterator[str]:
    if not isinstance(value, Mapping) or not value:
        yield json.dumps(value, ensure_ascii=False)
        return
    indent = "  " * (depth + 1)
    yield "{"
    for number, key in enumerate(sorted(value)):
        yield f"{',' if number else ''}\n{indent}{json.dumps(key, ensure_ascii=False)}: "
        yield from _lines(value[key], depth + 1)
    yield f"\n{'  ' * depth}}}"
