"""Framing `reply/2`: turn an event's conversation into one that ends with an assistant's reply.

ArmoRM judges an assistant's reply: its gate is read at the last assistant header, and without one there is no score.
So the sender of the judged message gets the assistant's role. The rule is the same in training and in serving.
"""

from collections.abc import Sequence
from typing import Final

FRAMING: Final = "reply/2"

Message = tuple[str, str]
"""Role and content."""

OPENER: Final[Message] = ("user", "Write a chat message.")
"""Put before a conversation that would otherwise begin with the assistant."""

_RENAMED: Final = {"developer": "system", "tool": "user"}
_EXCHANGED: Final = {"user": "assistant", "assistant": "user"}


def frame(conversation: Sequence[Message]) -> list[Message]:
    """Return the conversation as the model reads it.

    Args:
        conversation: n >= 1 turns by system, developer, user, assistant or tool; the last is judged.

    Returns:
        n or n + 1 turns by system, user and assistant; the last is the assistant's and not the only one.
    """
    turns = known_roles(conversation)
    *context, (speaker, judged) = turns
    if speaker != "assistant":
        context = [(_EXCHANGED.get(role, role), content) for role, content in context]
    return opened([*context, ("assistant", judged)])


def known_roles(conversation: Sequence[Message]) -> list[Message]:
    """Return the turns by system, user and assistant: a developer is the system, a tool is a user."""
    return [(_RENAMED.get(role, role), content) for role, content in conversation]


def opened(turns: list[Message]) -> list[Message]:
    """Insert `OPENER` if the conversation begins with a reply."""
    at = opener_at([role for role, _ in turns])
    return turns if at is None else [*turns[:at], OPENER, *turns[at:]]


def opener_at(roles: Sequence[str]) -> int | None:
    """Find where `OPENER` belongs: before the first turn that is not system, if it is the assistant's; or nowhere."""
    first = next((index for index, role in enumerate(roles) if role != "system"), None)
    return first if first is not None and roles[first] == "assistant" else None
