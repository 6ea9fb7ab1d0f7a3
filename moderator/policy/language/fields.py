"""What rules may match on, and the words of the language that several files read."""

from typing import get_args

from moderator.events import Role, Verdict

FORMAT = 1
"""The language version that this engine knows."""
EVENT_FIELDS = ("speaker", "tenant", "channel", "locale", "role")
METADATA = "metadata."
SPEAKERS: tuple[Role, ...] = get_args(Role)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def speaker_of(text: str) -> Role:
    """Give the speaker of that name, which must be one."""
    return next(speaker for speaker in SPEAKERS if speaker == text)


def normal_locale(locale: str) -> str:
    """Write a locale as it is compared: lower case, `-` for `_`."""
    return locale.lower().replace("_", "-")
