"""The event of a recorded decision, as a judge reads it: everything but its text."""

from moderator.events import ChatEvent, Decision, Turn, hidden_text_of


def recorded_event(decision: Decision) -> ChatEvent:
    """Give the event that was judged, without its text."""
    recorded, reading = decision["event"], decision.get("reading")
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
        cut=reading["cut"] if reading else "nothing",
        hidden_text=hidden_text_of(reading["removed"] if reading else 0),
        text_scores=_text_scores(decision),
    )


def _text_scores(decision: Decision) -> dict[str, float | None] | None:
    """Give what was read of the text; the text itself is in no record."""
    text, signals = decision["policy"].get("text"), decision["scores"]["signals"]
    return {name: signals.get(name) for name in text["signals"]} if text else None
