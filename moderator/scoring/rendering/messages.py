"""The judged message alone, without the conversation, for models that were trained on single texts."""

from collections.abc import Sequence
from typing import Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.rendering.content import ContentEncoder, readable
from moderator.scoring.rendering.limits import refuse_no_room
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.rendering.truncation import head_and_tail

MESSAGE_FRAMING: Final = "message/2"
"""What a reader sees of the judged message; a long one keeps its head and its tail."""

_PROBE: Final = "hello"


class MessageRenderer:
    """Renders judged messages for one tokenizer and one limit, with the tokens that it puts around a text."""

    framing = MESSAGE_FRAMING
    reads_context = False
    questions = 1

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Find the tokens that the tokenizer puts around a text.

        Raises:
            ConfigurationError: typed text can become special tokens, or `max_tokens` leaves no room for text.
        """
        self.max_tokens = max_tokens
        self.content = ContentEncoder(tokenizer.backend_tokenizer)
        self._before, self._after = _around(tokenizer, self.content)
        around = len(self._before) + len(self._after)
        refuse_no_room(max_tokens, around)
        self._room = max_tokens - around

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render the last turn of each conversation, in the order given; n >= 0 of them."""
        texts = [readable(conversation[-1].content).text for conversation in conversations]
        contents = self.content.encode([self.content.without_middle(text, self._room) for text in texts])
        return [self._rendering(content) for content in contents]

    def disarmed(self, text: str) -> str:
        """Leave a text as it is: no typed line counts as one of the template's."""
        return text

    def _rendering(self, content: list[int]) -> Rendering:
        is_long = len(content) > self._room
        kept = head_and_tail(content, self._room) if is_long else content
        # blank text would leave no tokens with a tokenizer that puts none around a text
        token_ids = (*self._before, *kept, *self._after) or tuple(next(self.content.encode([" ."])))
        return Rendering(token_ids, 0, "message" if is_long else "nothing")


def _around(tokenizer: PreTrainedTokenizerFast, content: ContentEncoder) -> tuple[list[int], list[int]]:
    inner = next(content.encode([_PROBE]))
    whole: list[int] = tokenizer.backend_tokenizer.encode(_PROBE).ids
    at = next((at for at in range(len(whole)) if whole[at : at + len(inner)] == inner), None)
    if at is None or not inner:
        raise ConfigurationError("the tokens that tokenizer.json puts around a text cannot be separated from the text")
    return whole[:at], whole[at + len(inner) :]
