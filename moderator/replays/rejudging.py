"""Recorded decisions judged again by their recorded scores and the time that they had; no model is needed."""

from typing import Final, NamedTuple, cast

from moderator.backtest.decision import InvalidDecisionError, read_decision, schema_fault
from moderator.backtest.replay import Replayer, replay_input_of
from moderator.errors import PolicyError
from moderator.events import Decision, EncodedDecision
from moderator.pipeline.decision import decision_id, encode, policy_reference
from moderator.policy import Judgement, PolicySet
from moderator.replays.recorded import Place, place_of

NO_DECISION: Final = "it is no decision"
OTHER_MODEL: Final = "the policies do not suit the model that scored it"


class NotReplayableError(Exception):
    """A record cannot be judged again; the text is the cause, without anything of the record.

    Attributes:
        place: of the event; None where it is not known.
    """

    def __init__(self, cause: str, place: Place | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.place = place


class Rejudged(NamedTuple):
    """A decision of now, and the place of its event."""

    place: Place
    decision: EncodedDecision


class Rejudge:
    """Judges recorded decisions by one policy set, whichever models scored them."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies
        self._replayer = Replayer(policies)
        self._facts = frozenset(signal.name for signal in policies.signals if signal.kind != "score")
        self._unsuited: set[object] = set()

    def __call__(self, value: bytes | None) -> Rejudged:
        """Judge one recorded decision.

        Raises:
            NotReplayableError: it is none, or lacks what the policies need.
        """
        try:
            recorded = read_decision(value)
        except InvalidDecisionError:
            raise NotReplayableError(NO_DECISION) from None
        try:
            return Rejudged(place_of(recorded), encode(self._judge(recorded), self._facts))
        except (KeyError, TypeError, ValueError, AttributeError):
            if schema_fault(recorded) is None:
                raise  # the decision is valid: this is a defect of the program
            raise NotReplayableError(NO_DECISION) from None

    def _judge(self, recorded: Decision) -> Decision:
        given = replay_input_of(recorded)
        if given.model in self._unsuited:
            raise NotReplayableError(OTHER_MODEL, place_of(recorded))
        try:
            judgement = self._replayer.judge(given)
        except PolicyError:
            self._unsuited.add(given.model)
            raise NotReplayableError(OTHER_MODEL, place_of(recorded)) from None
        return self._decision(recorded, judgement)

    def _decision(self, recorded: Decision, judgement: Judgement) -> Decision:
        """Put what is judged now in the place of what was; the rest, the time too, stays as recorded."""
        event, model = recorded["event"], recorded["model"]
        judged = judgement._asdict()
        signals = judged.pop("signals")
        name = decision_id(
            event["id"],
            event["tenant"],
            event["content_sha256"],
            self._policies.snapshot,
            model["fingerprint"],
            recorded["framing"],
        )
        policy = policy_reference(self._policies, model["name"])
        scores = {**recorded["scores"], "signals": signals}
        return cast("Decision", {**recorded, **judged, "decision_id": name, "policy": policy, "scores": scores})
