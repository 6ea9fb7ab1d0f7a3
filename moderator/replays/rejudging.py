"""Recorded decisions judged again by their recorded scores and the time that they had; no model is needed."""

from typing import Final, NamedTuple, cast

from moderator.backtest.decision import InvalidDecisionError, read_decision, schema_fault
from moderator.backtest.replay import Replayer, replay_input_of
from moderator.errors import PolicyError
from moderator.events import Decision, EncodedDecision
from moderator.pipeline.decision import decision_id, encode, policy_reference
from moderator.policy import Judgement, PolicySet
from moderator.policy.language.text_source import MESSAGE
from moderator.policy.text.text_signals import TextFindings, TextSignals
from moderator.replays.recorded import Place, place_of

NO_DECISION: Final = "it is no decision"
OTHER_MODEL: Final = "the policies do not suit the model that scored it"
OTHER_TEXT: Final = "its message was not read for the text signals of these policies, and is not recorded"


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
        self._of_message = {each.name for each in policies.signals if each.text and each.text.of == MESSAGE}
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
        texts = self._texts(recorded, self._policies.text_signals) if self._policies.text_signals else None
        given = given._replace(event=given.event._replace(text_scores=texts.numbers if texts else None))
        try:
            judgement = self._replayer.judge(given)
        except PolicyError:
            self._unsuited.add(given.model)
            raise NotReplayableError(OTHER_MODEL, place_of(recorded)) from None
        decision = self._decision(recorded, judgement)
        return cast("Decision", {**decision, "found": texts.found}) if texts else decision

    def _texts(self, recorded: Decision, signals: TextSignals) -> TextFindings:
        """Read the text signals from what is recorded; a recorded number is right where it was read in the same way.

        Raises:
            NotReplayableError: a message would have to be read that is not recorded.
        """
        event, wanted = recorded["event"], signals.reference["signals"]
        messages = event.get("messages")
        read = signals.read(messages[-1]["content"] if messages else "", event["user"], event["metadata"])
        if messages:
            return read
        as_recorded = recorded["policy"]["text"]["signals"] if "text" in recorded["policy"] else {}
        stale = {name for name, how in wanted.items() if as_recorded.get(name) != how}
        if stale & self._of_message:
            raise NotReplayableError(OTHER_TEXT, place_of(recorded))
        known = recorded["scores"]["signals"]
        found = [each for each in recorded.get("found", []) if each["signal"] in wanted.keys() - stale]
        found += [each for each in read.found if each["signal"] in stale]
        found.sort(key=lambda each: list(wanted).index(each["signal"]))
        return TextFindings({name: read.numbers[name] if name in stale else known[name] for name in wanted}, found)

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
        kept = {name: part for name, part in recorded.items() if name != "found"}
        return cast("Decision", {**kept, **judged, "decision_id": name, "policy": policy, "scores": scores})
