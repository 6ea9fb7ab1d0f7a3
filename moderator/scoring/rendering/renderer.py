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
        others: the same turns once more for each further question that the model is asked.
    """

    token_ids: tuple[int, ...]
    gate_row: int
    cut: Cut
    others: tuple[tuple[int, ...], ...] = ()

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return max(len(self.token_ids), *map(len, self.others)) if self.others else len(self.token_ids)


class Renderer(Protocol):
    """Turns events' conversations into token ids, for one tokenizer and one limit. One thread owns it.

    Attributes:
        framing: the rule by which it renders, such as `message/2`.
        max_tokens: most tokens of a rendering.
        reads_context: turns before the judged one are rendered too.
        questions: how many texts a rendering has, each a pass: one, but of guards that are asked several questions.
        content: encodes what people wrote, as renderings hold it.
    """

    framing: str
    max_tokens: int
    reads_context: bool
    questions: int
    content: ContentEncoder

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, in the order given; never fails on content."""
        ...

    def disarmed(self, text: str) -> str:
        """Return a readable text as renderings hold it: as long, each character in its place."""
        ...
