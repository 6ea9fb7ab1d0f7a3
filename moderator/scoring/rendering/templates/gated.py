"""Chat turns for a gated model whose template is not Llama-3's own, such as 3.1's with its block of a date."""

from collections.abc import Sequence
from typing import Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.rendering.framing import OPENER, Message
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.rendering.templates.rendering import TemplateRenderer

_GATE_HEADER: Final = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
"""Without the blank line that follows: with it, other first letters of a reply could have other tokens."""


class GatedRenderer(TemplateRenderer):
    """Renders with any template that begins a reply as Llama 3 does, and finds the gate there."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Check our rendering against the tokenizer's own; see `TemplateRenderer`.

        Raises:
            ConfigurationError: as `TemplateRenderer`, or the template begins a reply in another way.
        """
        super().__init__(tokenizer, max_tokens)
        self.gate_pattern = tuple(tokenizer.encode(_GATE_HEADER, add_special_tokens=False))
        try:
            self.render_as_given([[OPENER, ("assistant", "Hello.")]])
        except ValueError as error:
            raise ConfigurationError(
                "the chat template does not begin a reply as Llama-3's does, where the gate is read"
            ) from error

    def render_as_given(self, conversations: Sequence[Sequence[Message]]) -> list[Rendering]:
        """Render each conversation, in the order given.

        Raises:
            ValueError: a conversation has no assistant header to read the gate at; the text names its index.
        """
        renderings = super().render_as_given(conversations)
        return [each._replace(gate_row=self._gate_row(at, each.token_ids)) for at, each in enumerate(renderings)]

    def _gate_row(self, index: int, token_ids: tuple[int, ...]) -> int:
        length = len(self.gate_pattern)
        for row in range(len(token_ids) - length, -1, -1):
            if token_ids[row : row + length] == self.gate_pattern:
                return row
        raise ValueError(f"conversation {index}: no assistant turn after another, so no header to read the gate at")
