"""What rules may match on, and the words of the language that several files read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from moderator.events import Cut, HiddenText, Role, Verdict

FORMAT = 1
"""The language version that this engine knows."""
EVENT_FIELDS = ("speaker", "tenant", "channel", "locale", "role")
METADATA = "metadata."
SPEAKERS: tuple[Role, ...] = get_args(Role)
CUTS: tuple[Cut, ...] = get_args(Cut)
HIDDEN_TEXTS: tuple[HiddenText, ...] = get_args(HiddenText)
READING_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"cut": CUTS, "hidden_text": HIDDEN_TEXTS})
"""How an event was read: field -> the values it takes. Every event has them, whatever settings.yaml lists."""
CLOSED_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"speaker": SPEAKERS, **READING_FIELDS})
"""Fields of which every possible value is known."""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def cut_of(text: str) -> Cut:
    """Give the value of the field `cut` of that name, which must be one."""
    return next(cut for cut in CUTS if cut == text)


def hidden_text_named(text: str) -> HiddenText:
    """Give the value of the field `hidden_text` of that name, which must be one."""
    return next(value for value in HIDDEN_TEXTS if value == text)


def speaker_of(text: str) -> Role:
    """Give the speaker of that name, which must be one."""
    return next(speaker for speaker in SPEAKERS if speaker == text)


def normal_locale(locale: str) -> str:
    """Write a locale as it is compared: lower case, `-` for `_`."""
    return locale.lower().replace("_", "-")
