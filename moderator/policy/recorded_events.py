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
    )
