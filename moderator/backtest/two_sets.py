"""Decides recorded events by baseline and candidate; where these differ in rules alone, the others are asked once."""

from moderator.backtest.replay import Model, Replayer, ReplayInput
from moderator.backtest.stale import Numbers
from moderator.backtest.stale_judge import Judged, StaleJudge
from moderator.policy import Judge, Judgement, PolicySet
from moderator.policy.edited_rules import edited_rules
from moderator.policy.engine.judge import RuleEdit


class TwoSets:
    """Decides by both policy sets, as each would alone."""

    def __init__(self, baseline: PolicySet, candidate: PolicySet) -> None:
        self._baseline, self._candidate = Replayer(baseline), StaleJudge(candidate)
        self._edited = edited_rules(baseline, candidate)
        self._bound: dict[Model, tuple[Judge, RuleEdit]] = {}

    def judge(self, replay_input: ReplayInput, numbers: Numbers) -> tuple[Judgement, Judged | None]:
        """Decide one event by the baseline and by the candidate; see `StaleJudge.judge`.

        Raises:
            PolicyError: a set does not fit the model that scored.
        """
        if self._edited is not None and _are_read_alike(replay_input, numbers):
            judge, edit = self._bound.get(replay_input.model) or self._bind(replay_input.model)
            both = judge.decide_edited(edit, replay_input.event, replay_input.passages[0], replay_input.at_ms)
            if both is not None:
                return both[0], Judged(replay_input, both[1])
        return self._baseline.judge(replay_input), self._candidate.judge(replay_input, numbers)

    def _bind(self, model: Model) -> tuple[Judge, RuleEdit]:
        assert self._edited is not None
        judge = self._baseline.judge_for(model)
        self._candidate.require(model)
        bound = judge, RuleEdit(self._edited.removed, Replayer(self._edited.added).judge_for(model))
        self._bound[model] = bound
        return bound


def _are_read_alike(replay_input: ReplayInput, numbers: Numbers) -> bool:
    """Whether both sets read the same of an event, and read it in one piece."""
    recorded = replay_input.event.text_scores or {}
    return len(replay_input.passages) == 1 and not numbers.stale and numbers.known.items() <= recorded.items()
