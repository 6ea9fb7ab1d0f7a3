"""Turn conversations into the ids that the model reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from moderator.events import Turn
from moderator.scoring.rendering.llama3 import Llama3Renderer
from moderator.scoring.rendering.renderer import Rendering
from moderator.training.text.tokenizer import BOS, HEADER_END, HEADER_START, TURN_END

Ids = NDArray[np.int32]

MAX_TRAINING_TOKENS = 256
HEADER_TOKENS = 4
"""Start, role, end, blank line."""


class Encoder:
    """Frames and renders as serving does, many conversations at once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._renderer = Llama3Renderer(tokenizer, MAX_TRAINING_TOKENS)

    def encode(self, conversations: Sequence[Sequence[Turn]]) -> list[Ids]:
        """Encode each conversation, framed by `reply/2`; longer ones are truncated as serving would."""
        return [np.array(rendering.token_ids, dtype=np.int32) for rendering in self.render(conversations)]

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, framed, with the row at which the gate is read."""
        return self._renderer.render(conversations)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The template's ids in the tokenizer, and the plain ids for synthetic text."""

    bos: int
    header_start: int
    header_end: int
    turn_end: int
    line_break: int
    user: int
    assistant: int
    plain: Ids

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> "Vocabulary":
        """Find the ids in `tokenizer`."""
        bos, start, end, turn_end, user, assistant, line_break = (
            _single_id(tokenizer, text)
            for text in (BOS, HEADER_START, HEADER_END, TURN_END, "user", "assistant", "\n\n")
        )
        used = {*tokenizer.all_special_ids, user, assistant, line_break}
        plain = np.array([number for number in range(len(tokenizer)) if number not in used], dtype=np.int32)
        return cls(bos, start, end, turn_end, line_break, user, assistant, plain)

    def reply(self, prompt: Ids, answer: Ids) -> Ids:
        """Lay out one user turn and one assistant turn as the chat template does."""
        return np.concatenate(
            [
                np.array([self.bos, self.header_start, self.user, self.header_end, self.line_break], dtype=np.int32),
                prompt,
                np.array(
                    [self.turn_end, self.header_start, self.assistant, self.header_end, self.line_break], dtype=np.int32
                ),
                answer,
                np.array([self.turn_end], dtype=np.int32),
            ]
        )

    def drop_some(self, ids: Ids, rate: float, random: np.random.Generator) -> Ids:
        """Drop a share of the ordinary tokens; the template's tokens stay."""
        keep = random.random(len(ids)) >= rate
        starts = np.flatnonzero(ids == self.header_start)
        for offset in range(HEADER_TOKENS):
            keep[np.minimum(starts + offset, len(ids) - 1)] = True
        keep |= (ids == self.turn_end) | (ids == self.bos)
        return ids[keep]


def _single_id(tokenizer: PreTrainedTokenizerFast, text: str) -> int:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert len(ids) == 1, f"the tokenizer must hold {text!r} as one token"
    return int(ids[0])
