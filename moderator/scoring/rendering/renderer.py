"""What every renderer of events returns: token ids, and where the gate is read."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from moderator.events import Cut, Turn
from moderator.scoring.rendering.content import ContentEncoder


class Rendering(NamedTuple):
    """A conversation as token ids.

    Attributes:
        token_ids: BOS, then the turns.
        gate_row: index in `token_ids` where the last assistant header starts, at the end of the turn before it.
        cut: what was omitted to fit: older turns, or some of the judged message too.
    """

    token_ids: tuple[int, ...]
    gate_row: int
    cut: Cut


class Renderer(Protocol):
    """Turns events' conversations into token ids, for one tokenizer and one limit. One thread owns it.

    Attributes:
        framing: the rule by which it renders, such as `message/2`.
        max_tokens: most tokens of a rendering.
        reads_context: turns before the judged one are rendered too.
        content: encodes what people wrote, as renderings hold it.
    """

    framing: str
    max_tokens: int
    reads_context: bool
    content: ContentEncoder

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, in the order given; never fails on content."""
        ...
