"""What a candidate decides where some numbers are stale: an event is decided where every possible number agrees."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, floor, prod
from typing import Final, NamedTuple

from moderator.backtest.replay import Model, Replayer, ReplayInput
from moderator.backtest.stale import Doubt, Numbers
from moderator.policy import Judgement, PolicySet
from moderator.policy.language.ast import Condition
from moderator.policy.language.scale import MILLION

_MOST_TRIED: Final = 256
"""Combinations of possible numbers; an event with more is not decided."""
_SHARES: Final = "capitals"
"""The one kind of text signal whose numbers are not whole."""


class Judged(NamedTuple):
    """What a candidate decides, and from what; of numbers that are not known these are some that may be."""

    replay_input: ReplayInput
    judgement: Judgement


class StaleJudge:
    """Decides by the candidate, whatever is stale."""

    def __init__(self, candidate: PolicySet) -> None:
        self._replayer = Replayer(candidate)
        self._limits = {
            signal.name: sorted(set(_beside_limits(signal.name, signal.text.kind == _SHARES, candidate)))
            for signal in candidate.signals
            if signal.text is not None
        }

    def judge(self, replay_input: ReplayInput, numbers: Numbers) -> Judged | None:
        """Decide one event; None where its outcome depends on a stale number.

        Raises:
            PolicyError: the policies do not fit the model that scored.
        """
        if not numbers.stale:
            given = _with(replay_input, numbers.known) if self._limits else replay_input
            return Judged(given, self._replayer.judge(given))
        names = list(numbers.stale)
        possible = [self._possible(name, numbers.stale[name]) for name in names]
        if prod(map(len, possible)) > _MOST_TRIED:
            return None
        judged: Judged | None = None
        for values in product(*possible):
            given = _with(replay_input, {**numbers.known, **dict(zip(names, values, strict=True))})
            judgement = self._replayer.judge(given)
            if judged is not None and _outcome(judgement) != _outcome(judged.judgement):
                return None
            judged = Judged(given, judgement)
        assert judged is not None
        _leave_out_scores(judged.judgement, numbers.stale)
        return judged

    def require(self, model: Model) -> None:
        """Check that the candidate fits a model.

        Raises:
            PolicyError: it does not.
        """
        self._replayer.judge_for(model)

    def _possible(self, name: str, doubt: Doubt) -> list[float]:
        """Give one number between each two limits, of those that may be."""
        greatest = doubt.greatest
        within = [value for value in self._limits[name] if value >= doubt.least]
        if greatest is not None:
            within = [value for value in within if value <= greatest]
        return [doubt.least, *(value for value in within if value != doubt.least)]


def _beside_limits(name: str, is_share: bool, candidate: PolicySet) -> Iterator[float]:  # noqa: FBT001
    for condition in (condition for rule in candidate.active_rules for condition in rule.conditions):
        if condition.limit is not None and name in _sources_of(condition):
            limit = condition.limit
            if is_share:
                yield from (float(limit + step) for step in (Fraction(-1, MILLION), 0, Fraction(1, MILLION)))
            else:
                yield from map(float, (ceil(limit) - 1, floor(limit), ceil(limit), floor(limit) + 1))


def _sources_of(condition: Condition) -> Sequence[str]:
    return [signal.name for signal in condition.signal.members or (condition.signal,)]


def _with(replay_input: ReplayInput, numbers: Mapping[str, float | None]) -> ReplayInput:
    return replay_input._replace(event=replay_input.event._replace(text_scores=numbers))


def _outcome(judgement: Judgement) -> tuple[object, ...]:
    """Give everything that a report counts."""
    rules = tuple((result["rule"], result["outcome"], result["counted"]) for result in judgement.rules)
    said = judgement.verdict, judgement.action, judgement.severity, judgement.reasons, judgement.labels
    return (*said, judgement.queues, judgement.shadow_verdict, judgement.shadow_action, judgement.status, rules)


def _leave_out_scores(judgement: Judgement, stale: Mapping[str, Doubt]) -> None:
    """Leave out what is not known, so that nothing is said of its distance to a limit."""
    for condition in (condition for result in judgement.rules for condition in result["conditions"]):
        if condition["signal"] in stale:
            condition["score"] = condition["holds"] = condition["margin"] = None
