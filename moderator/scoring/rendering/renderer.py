"""What every renderer of events returns: token ids, and where the gate is read."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from moderator.events import Turn


class Rendering(NamedTuple):
    """A conversation as token ids.

    Attributes:
        token_ids: BOS, then the turns.
        gate_row: index in `token_ids` where the last assistant header starts, at the end of the turn before it.
        truncated: turns or text were omitted.
    """

    token_ids: tuple[int, ...]
    gate_row: int
    truncated: bool


class Renderer(Protocol):
    """Turns events' conversations into token ids, for one tokenizer and one limit. One thread owns it.

    Attributes:
        framing: the rule by which it renders, such as `message/1`.
        max_tokens: most tokens of a rendering.
    """

    framing: str
    max_tokens: int

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, in the order given; never fails on content."""
        ...
