"""Decide a recorded event again from its recorded scores, by the judge of live traffic; no model is needed."""

from typing import NamedTuple

from moderator.events import (
    ChatEvent,
    Decision,
    ModelIdentity,
    ScoreSummary,
    Verdict,
)
from moderator.policy import Judge, Judgement, PolicySet, event_time_ms
from moderator.policy.recorded_events import recorded_event

Model = tuple[tuple[str, ...], str, str, str, str]
"""Objectives in the model's order, its name, fingerprint and dtype, and the framing."""


class ReplayInput(NamedTuple):
    """What a recorded decision was made from.

    Attributes:
        passages: of each passage k raw rewards in the order of the objectives.
        at_ms: the event's time.
    """

    model: Model
    event: ChatEvent
    passages: list[list[float | None]]
    at_ms: int


class ReplayedDecision(NamedTuple):
    """One recorded decision, and what two policy sets decide of its event.

    Attributes:
        position: its place among all decisions; only the order counts.
        label: the verdict that a person gave the event; None without one.
    """

    position: tuple[int, int]
    decision: Decision
    replay_input: ReplayInput
    baseline: Judgement
    candidate: Judgement
    label: Verdict | None


def replay_input_of(decision: Decision) -> ReplayInput:
    """Take from a recorded decision what a judge needs: rewards, event fields and the broker's time."""
    scores, model, event = decision["scores"], decision["model"], decision["event"]
    objectives = tuple(scores["objectives"])
    return ReplayInput(
        (objectives, model["name"], model["fingerprint"], model["dtype"], decision["framing"]),
        recorded_event(decision),
        _passages(scores, objectives),
        event_time_ms(event["timestamp"], event["time"], decision["decided_at"]),
    )


class Replayer:
    """Decides recorded events by one policy set, whichever models scored them."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._judges: dict[Model, Judge] = {}

    def judge(self, replay_input: ReplayInput) -> Judgement:
        """Decide one event.

        Raises:
            PolicyError: the policies do not fit the model that scored.
        """
        judge = self._judges.get(replay_input.model) or self.judge_for(replay_input.model)
        return judge.decide_passages(replay_input.event, replay_input.passages, replay_input.at_ms)

    def judge_for(self, model: Model) -> Judge:
        """Give the judge of what a model scored.

        Raises:
            PolicyError: the policies do not fit the model.
        """
        judge = self._judges.get(model)
        if judge is None:
            objectives, name, fingerprint, dtype, framing = model
            self._policies.check_model(ModelIdentity(name, fingerprint, dtype, objectives, framing, max_input_tokens=0))
            judge = self._judges[model] = self._policies.bind(objectives, name)
        return judge


def _passages(scores: ScoreSummary, objectives: tuple[str, ...]) -> list[list[float | None]]:
    if "passages" not in scores:
        return [[*scores["objectives"].values()]]
    return [[each["objectives"][name] for name in objectives] for each in scores["passages"]]
