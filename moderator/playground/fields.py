"""Which fields of an event somebody may set: those that the policies read."""

from typing import Literal, NamedTuple

from moderator.policy import PolicySet
from moderator.policy.language.fields import CLOSED_FIELDS, EVENT_FIELDS, METADATA, READING_FIELDS

_UNMATCHED = ("user", "conversation_id", "time")
"""No rule matches on them; rollouts go by them, and what has a beginning or an end."""


class EventField(NamedTuple):
    """A field of an event, metadata as `metadata.KEY`.

    Attributes:
        values: all that it may be, the usual one first; empty for any text.
        only: where alone it counts: beside set scores (`sliders`) or a typed text; None: beside both.
    """

    name: str
    values: tuple[str, ...] = ()
    only: Literal["sliders", "text"] | None = None


def event_fields(policies: PolicySet | None) -> list[EventField]:
    """Give the fields of a folder; without policies those that every folder may name."""
    declared = tuple(policies.settings.fields if policies else ()) or EVENT_FIELDS
    signals = policies.signals if policies else ()
    facts = [f"{METADATA}{signal.fact.key}" for signal in signals if signal.fact is not None]
    texts = [signal.text.of for signal in signals if signal.text is not None and signal.text.of.startswith(METADATA)]
    names = dict.fromkeys([*declared, *texts, *_UNMATCHED])
    return [
        *(EventField(name) for name in names if name not in CLOSED_FIELDS and name not in facts),
        *(EventField(name, only="text") for name in dict.fromkeys(facts)),
        *(EventField(name, values, only="sliders") for name, values in READING_FIELDS.items()),
    ]
