"""Chat turns to token ids, as any chat template renders them, cut to what the model reads.

The template runs with marks in place of the contents, which are inserted afterwards. Only what the template itself
wrote can be a special token. So no content can forge a turn or influence the template.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Cut, Turn
from moderator.scoring.rendering.content import ContentEncoder, readable
from moderator.scoring.rendering.framing import FRAMING, OPENER, Message, frame, opened
from moderator.scoring.rendering.limits import refuse_no_room
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.rendering.templates.template_text import template_text
from moderator.scoring.rendering.truncation import first_turn

_MARK: Final = "\ue000{}\ue001"
_MARKED: Final = re.compile("\ue000(\\d+)\ue001")
_KNOWN_LAYOUTS: Final = 1024
"""Cached sequences of roles: most chats have one of a few, so the template need not run for each chat."""
_PROBES: Final[Sequence[list[Message]]] = (
    [("user", "Hi there"), ("assistant", "Hello.")],
    [("user", "1 + 1?"), ("assistant", "\u00e9 (2)\n\n- x"), ("user", "Why?"), ("assistant", "So it is\u2026")],
)
_SYSTEM_PROBE: Final[list[Message]] = [("system", "Be kind."), *_PROBES[0]]
"""Not every template accepts it."""

Piece = str | int
"""Text that the template wrote, or the index of the turn whose content belongs there."""


class TemplateRenderer:
    """Renders conversations for one tokenizer, its chat template and one limit. One thread owns it."""

    framing = FRAMING
    reads_context = True
    questions = 1
    probes = _PROBES
    """Conversations on which the rendering is checked against the tokenizer's own."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Check our rendering against the tokenizer's own.

        Args:
            tokenizer: the checkpoint's, with its chat template; not changed.
            max_tokens: most tokens of a rendering.

        Raises:
            ConfigurationError: the template fails, omits turns, or cannot be reproduced token by token; or `max_tokens`
                leaves no room for text.
        """
        self.max_tokens = max_tokens
        self._tokenizer = tokenizer
        special = {token.content: at for at, token in tokenizer.added_tokens_decoder.items()}
        self._special = special
        longest_first = sorted(special, key=len, reverse=True)
        self._splits = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if special else None
        self._layout = lru_cache(_KNOWN_LAYOUTS)(self._run_template)
        self.content = ContentEncoder(tokenizer.backend_tokenizer, is_inner=True, control=self._control())
        self._check_template()

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Frame and render each event's conversation, in the order given; see `render_as_given`."""
        return self.render_as_given([self.frame(conversation) for conversation in conversations])

    def render_as_given(self, framed: Sequence[Sequence[Message]]) -> list[Rendering]:
        """Render each conversation, in the order given; a long one loses its oldest turns first."""
        # each turn has at least one token
        newest = [opened(self._bounded(turns[-self.max_tokens :])) for turns in framed]
        written = (self._rendering(texts) for texts in self._texts(newest))
        return [
            rendering if rendering.longest <= self.max_tokens >= len(whole) else self._cut(turns, rendering)
            for whole, turns, rendering in zip(framed, newest, written, strict=True)
        ]

    def disarmed(self, text: str) -> str:
        """Leave a text as it is: no typed line counts as one of the template's."""
        return text

    def frame(self, conversation: Sequence[Message]) -> list[Message]:
        """Return the turns that the template is given."""
        return frame(conversation)

    def write(
        self,
        tokenizer: PreTrainedTokenizerFast,
        messages: Sequence[Mapping[str, Any]],
        question: int = 0,  # noqa: ARG002 - guards have several
    ) -> str:
        """Run the chat template.

        Args:
            tokenizer: the checkpoint's, ours or transformers' own.
            messages: n >= 1 objects with `role` and `content`.
            question: index of what is asked.

        Raises:
            Exception: of any kind: a template is a program.
        """
        return template_text(tokenizer, messages)

    def _bounded(self, turns: Sequence[Message]) -> list[Message]:
        """Remove what is read of no turn: of the last the middle, and older ones are read whole or not at all."""
        *context, (role, judged) = turns
        bounded = [(role, self.content.beginning(readable(text).text, self.max_tokens)) for role, text in context]
        return [*bounded, (role, self.content.without_middle(readable(judged).text, self.max_tokens))]

    def _rendering(self, texts: Sequence[list[int]], cut: Cut = "nothing") -> Rendering:
        first, *others = map(tuple, texts)
        return Rendering(first, 0, cut, tuple(others))

    def _texts(self, conversations: Sequence[list[Message]]) -> Iterator[tuple[list[int], ...]]:
        """Give each conversation's tokens, once for each question."""
        return zip(*(self._tokenize(conversations, question) for question in range(self.questions)), strict=True)

    def _tokenize(self, conversations: Sequence[list[Message]], question: int) -> Iterator[list[int]]:
        runs = [self._runs(turns, question) for turns in conversations]
        contents = self.content.encode([run for each in runs for run in each if isinstance(run, str)])
        for each in runs:
            yield [token for run in each for token in (next(contents) if isinstance(run, str) else (run,))]

    def _runs(self, turns: list[Message], question: int) -> list[Piece]:
        """Return special tokens as ids, and everything between two of them as one text."""
        turns, pieces = self._pieces(turns, question)
        runs: list[Piece] = []
        for piece in pieces:
            parts = self._split(piece) if isinstance(piece, str) else [turns[piece][1]]
            for part in filter(lambda part: part != "", parts):
                if isinstance(part, str) and runs and isinstance(runs[-1], str):
                    runs[-1] += part
                else:
                    runs.append(part)
        return runs

    def _split(self, written: str) -> list[Piece]:
        return [self._special.get(part, part) for part in self._parts(written)]

    def _parts(self, written: str) -> list[str]:
        return self._splits.split(written) if self._splits else [written]

    def _pieces(self, turns: list[Message], question: int) -> tuple[list[Message], list[Piece]]:
        """Lay out the turns in the first form that the template accepts."""
        for form in self._forms(turns):
            pieces = self._layout(tuple(role for role, _ in form), question)
            if pieces is not None:
                return form, pieces
        raise ValueError("the chat template does not accept the turns, or omits one")

    def _forms(self, turns: list[Message]) -> Iterator[list[Message]]:
        """Give the turns, then merged so that roles alternate."""
        yield turns
        yield alternating(turns)

    def _control(self) -> set[str]:
        """Find the special tokens that the template writes around the contents, except white space."""
        parts = [part for written in self._written((*self.probes, _SYSTEM_PROBE)) for part in self._parts(written)]
        return {part for part in parts if part in self._special and part.strip()}

    def _written(self, probes: Iterable[list[Message]]) -> Iterator[str]:
        """Give what the template writes around contents, in every form of the probes that it accepts."""
        for form in (form for probe in probes for form in self._forms(probe)):
            for question in range(self.questions):
                pieces = self._layout(tuple(role for role, _ in form), question)
                yield from (piece for piece in pieces or () if isinstance(piece, str))

    def _run_template(self, roles: tuple[str, ...], question: int) -> list[Piece] | None:
        """Run the template; None if it raises or omits a turn."""
        marked = [{"role": role, "content": _MARK.format(at)} for at, role in enumerate(roles)]
        try:
            written = self.write(self._tokenizer, marked, question)
        except Exception:  # noqa: BLE001 - a template is a program and can raise anything
            return None
        pieces: list[Piece] = list(_MARKED.split(written))
        pieces[1::2] = [int(at) for at in pieces[1::2]]
        return pieces if sorted(pieces[1::2], key=int) == list(range(len(roles))) else None

    def _cut(self, turns: list[Message], rendering: Rendering) -> Rendering:
        """Leave out the oldest turns, then the middle of the last; `rendering` is that of all."""
        *_, judged = turns
        contents = [len(ids) for ids in self.content.encode([text for _, text in turns])]
        # a turn also costs its header; the guess takes it as equal for all turns
        header = max(0, rendering.longest - sum(contents)) // len(turns) + 1
        lengths = [length + header for length in contents]
        # `first_turn` points after the last turn if that alone is too long
        first = min(first_turn(lengths, offset=0, anchor=len(turns) - 1, room=self.max_tokens), len(turns) - 1)
        while self._length(kept := opened(turns[first:])) > self.max_tokens and first < len(turns) - 1:
            first += 1
        room = contents[-1]
        cut: Cut = "context"
        while (excess := self._length(kept) - self.max_tokens) > 0:
            room -= excess
            cut = "message"
            kept = [*kept[:-1], (judged[0], self._head_and_tail(judged[1], room))]
        return self._rendering(next(self._texts([kept])), cut)

    def _length(self, turns: list[Message]) -> int:
        return max(map(len, next(self._texts([turns]))))

    def _head_and_tail(self, text: str, room: int) -> str:
        """Remove the middle of the text, so that about `room` tokens remain."""
        spans = self.content.spans(text)
        tail = max(room, 0) // 2
        head = max(room, 0) - tail
        return text[: spans[head - 1][1] if head else 0] + (text[spans[-tail][0] :] if tail else "")

    def _check_template(self) -> None:
        for probe in self.probes:
            for question in range(self.questions):
                self._check_probe(probe, question)
        refuse_no_room(self.max_tokens, around=self._length([OPENER, ("assistant", "")]))

    def _check_probe(self, probe: list[Message], question: int) -> None:
        try:
            turns, _ = self._pieces(probe, question)
        except ValueError as error:
            raise ConfigurationError(self._why_not(probe, question)) from error
        written = self.write(self._tokenizer, as_objects(turns), question)
        wanted = self._tokenizer.encode(written, add_special_tokens=False)
        if next(self._tokenize([probe], question)) != wanted:
            raise ConfigurationError("the chat template cannot be reproduced token by token with this tokenizer")

    def _why_not(self, turns: list[Message], question: int) -> str:
        try:
            self.write(self._tokenizer, as_objects(turns), question)
        except Exception as error:  # noqa: BLE001 - a template is a program and can raise anything
            return f"the chat template fails: {type(error).__name__}"
        return "the chat template omits a turn or changes its text"


def as_objects(turns: Sequence[Message]) -> list[dict[str, str]]:
    """Give the turns as a chat template takes them."""
    return [{"role": role, "content": text} for role, text in turns]


def alternating(turns: list[Message]) -> list[Message]:
    """Treat system turns as the user's, and join consecutive turns of one role with a newline."""
    merged: list[Message] = []
    for role, text in turns:
        speaker = "user" if role == "system" else role
        if merged and merged[-1][0] == speaker:
            merged[-1] = (speaker, f"{merged[-1][1]}\n{text}")
        else:
            merged.append((speaker, text))
    return merged
