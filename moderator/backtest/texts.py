"""Events whose texts are available, so that a backtest can read them by other lists; no text is kept, numbers alone."""

from collections.abc import Iterable

from moderator.backtest.stale import KnownTexts
from moderator.errors import ConfigurationError
from moderator.events import ChatEvent, Record
from moderator.policy import PolicySet
from moderator.policy.language.text_source import MESSAGE
from moderator.policy.text.text_signals import TextSignals
from moderator.settings import ReadingSettings
from moderator.stream.codec import decode
from moderator.stream.content_hash import content_hash


def read_texts(
    records: Iterable[Record], candidate: PolicySet, max_event_bytes: int, reading: ReadingSettings
) -> KnownTexts:
    """Read what a candidate's signals find in the messages of events; records that are no events are passed over.

    Args:
        records: their values are events, as they were sent.
        candidate: its text signals are read.
        max_event_bytes: as when they were decided.
        reading: likewise.

    Raises:
        ConfigurationError: not one of the records is an event.
    """
    sources = {
        signal.name: signal.text
        for signal in candidate.signals
        if signal.text is not None and signal.text.of == MESSAGE
    }
    signals = TextSignals(sources)
    found = {}
    for record in records:
        event = decode(record, max_event_bytes, reading)
        if isinstance(event, ChatEvent):
            found[bytes.fromhex(content_hash(event))] = signals.read(event.conversation[-1].content, None, None).numbers
    if not found:
        raise ConfigurationError("`--texts` holds no event: name the events that were decided, as they were sent")
    return found
