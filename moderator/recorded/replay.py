"""Decide a recorded event again, by the judge of live traffic, from the scores that were recorded; never by scoring."""

from typing import NamedTuple

from moderator.events import ChatEvent, Decision, EventSummary, ModelIdentity, Turn, Verdict
from moderator.policy import Judge, Judgement, PolicySet, event_time_ms


class Case(NamedTuple):
    """One recorded decision, and what two policy sets say of its event today.

    Attributes:
        position: where it stands among all; only their order counts.
        label: what people said of the event; None where nobody looked.
    """

    position: tuple[int, int]
    decision: Decision
    baseline: Judgement
    candidate: Judgement
    label: Verdict | None


class Replayer:
    """Decides recorded events by one policy set, whichever models scored them."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._judges: dict[object, Judge] = {}

    def judge(self, decision: Decision) -> Judgement:
        """Decide from the recorded rewards, event fields and the broker's time.

        Raises:
            PolicyError: the policies do not suit the model that scored.
        """
        rewards, model, event = decision["scores"]["objectives"], decision["model"], decision["event"]
        key = tuple(rewards), model["name"], model["fingerprint"], model["dtype"], decision["framing"]
        judge = self._judges.get(key)
        if judge is None:
            judge = self._judges[key] = self._bind(ModelIdentity(*key[1:4], key[0], key[4], 0))
        at_ms = event_time_ms(event["timestamp"], event["time"], decision["decided_at"])
        return judge.decide(_event(event), list(rewards.values()), at_ms)

    def _bind(self, model: ModelIdentity) -> Judge:
        self._policies.check_model(model)
        return self._policies.bind(model.objectives, model.name)


def _event(recorded: EventSummary) -> ChatEvent:
    return ChatEvent(
        recorded["id"],
        (Turn(recorded["speaker"], ""),),
        recorded["conversation_id"],
        recorded["tenant"],
        recorded["channel"],
        recorded["locale"],
        recorded["user"],
        recorded["role"],
        recorded["time"],
        recorded["metadata"],
    )
