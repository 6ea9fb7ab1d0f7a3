"""Chat turns to token ids, as the Llama-3 chat template renders them, cut to what the model reads.

Content is encoded by a second copy of the tokenizer that knows no special tokens: a user who types
`<|eot_id|>` gets its letters, not the token, and can forge neither a turn nor the gate.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Cut, Turn
from moderator.scoring.rendering.content import ContentEncoder, readable
from moderator.scoring.rendering.framing import FRAMING, OPENER, Message, frame, opener_at
from moderator.scoring.rendering.limits import refuse_no_room
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.rendering.truncation import first_turn, head_and_tail

_GATE_HEADER: Final = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
_CONTROL: Final = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_CHARACTERS_PER_TOKEN: Final = 8
"""More than in ordinary text, so that one round of tokenizing is usually enough. A wrong guess omits nothing."""

_PROBES: Final[list[list[Message]]] = [
    [("user", "Hi there"), ("assistant", "Hello.")],
    [
        ("system", " Be kind.\n"),
        ("user", "1 + 1?"),
        ("assistant", "\u00e9 (2)\n\n- x"),
        ("user", ""),
        ("assistant", "\u2026"),
    ],
]


class Llama3Renderer:
    """Renders conversations for one tokenizer and one limit. One thread owns it."""

    framing = FRAMING
    reads_context = True
    questions = 1

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Check that the tokenizer and its chat template are of the Llama-3 kind.

        Args:
            tokenizer: the checkpoint's, with its chat template; not changed.
            max_tokens: no rendering is longer.

        Raises:
            ConfigurationError: the template does not render as Llama-3's does, or `max_tokens` leaves no room for text.
        """
        self.max_tokens = max_tokens
        self._bos = _token(tokenizer, tokenizer.bos_token or "")
        self._start, self._end, self._eot = (_token(tokenizer, token) for token in _CONTROL)
        self.content = ContentEncoder(tokenizer.backend_tokenizer, control={*_CONTROL, tokenizer.bos_token or ""})
        self._headers: dict[str, list[int]] = {}
        self.gate_pattern = tuple(tokenizer.encode(_GATE_HEADER, add_special_tokens=False))
        self._opener = self._turn(OPENER[0], next(self.content.encode([OPENER[1]])))
        self._check_template(tokenizer)
        refuse_no_room(max_tokens, around=1 + len(self._opener) + len(self.gate_pattern))

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Frame and render each event's conversation, in the order given; see `render_as_given`."""
        return self.render_as_given([frame(conversation) for conversation in conversations])

    def render_as_given(self, conversations: Sequence[Sequence[Message]]) -> list[Rendering]:
        """Render each conversation, in the order given.

        A conversation that is too long loses its oldest turns first, then the middle of the last reply and what follows
        it.

        Args:
            conversations: any number of them, framed or not; n >= 2 turns with an assistant's after the first.

        Raises:
            ValueError: a conversation has no assistant header to read the gate at; the text names its index.
        """
        least = [_turns_from_reply(index, conversation) for index, conversation in enumerate(conversations)]
        newest = self._newest(conversations, least)
        return [
            self._fit([role for role, _ in conversation], turns)
            for conversation, turns in zip(conversations, newest, strict=True)
        ]

    def disarmed(self, text: str) -> str:
        """Leave a text as it is: no typed line counts as one of the template's."""
        return text

    def _newest(self, conversations: Sequence[Sequence[Message]], least: Sequence[int]) -> list[list[list[int]]]:
        """Tokenize each conversation's turns backwards from the last, until there are no more or the model is full.

        Each round is one batch over all conversations that need more turns; few need a second. At least `least` turns
        are tokenized.
        """
        read: list[list[list[int]]] = [[] for _ in conversations]  # the last turn first
        short = list(range(len(conversations)))
        while short:
            rounds = [self._next(conversations[at], skip=len(read[at]), whole=least[at]) for at in short]
            contents = self.content.encode([content for turns in rounds for _, content in turns])
            for at, turns in zip(short, rounds, strict=True):
                read[at] += [self._turn(role, self._bounded(next(contents))) for role, _ in turns]
            short = [
                at for at in short if len(read[at]) < (len(conversations[at]) if self._fits(read[at]) else least[at])
            ]
        return [turns[::-1] for turns in read]

    def _next(self, conversation: Sequence[Message], skip: int, whole: int) -> list[Message]:
        """Take one or more turns backwards: as many as would fill the model if they are ordinary text.

        Of the last `whole` turns both ends are kept; older ones are read whole or not at all.
        """
        room = self.max_tokens
        taken: list[Message] = []
        for number, (role, content) in enumerate(reversed(conversation[: len(conversation) - skip]), skip):
            bounded = self.content.without_middle if number < whole else self.content.beginning
            text = bounded(readable(content).text, self.max_tokens)
            room -= len(self._header(role)) + len(text) // _CHARACTERS_PER_TOKEN
            if taken and room < 0:
                break
            taken.append((role, text))
        return taken

    def _bounded(self, content: list[int]) -> list[int]:
        """Keep only both ends of a content that is too long by itself; `_fit` cuts them to size."""
        return content if len(content) <= self.max_tokens else head_and_tail(content, self.max_tokens)

    def _fits(self, turns: list[list[int]]) -> bool:
        return 1 + sum(map(len, turns)) <= self.max_tokens

    def _fit(self, roles: list[str], turns: list[list[int]]) -> Rendering:
        offset = len(roles) - len(turns)
        if offset == 0 and self._fits(turns):
            return self._join(roles, turns, "nothing")
        roles = roles[offset:]
        room = self.max_tokens - 1 - len(self._opener)
        lengths = [len(turn) for turn in turns]
        reply = _last_reply(roles)
        if sum(lengths[reply:]) > room:
            # without the header of the reply and the last EOT
            said = list(chain.from_iterable(turns[reply:]))[len(self.gate_pattern) - 1 : -1]
            kept = self._turn("assistant", head_and_tail(said, room - len(self.gate_pattern)))
            return self._open(["assistant"], [kept], "message")
        first = first_turn(lengths, offset=offset, anchor=reply, room=room)
        return self._open(roles[first:], turns[first:], "context")

    def _open(self, roles: list[str], turns: list[list[int]], cut: Cut) -> Rendering:
        """Insert the opener if what is left begins with a reply."""
        at = opener_at(roles)
        if at is not None:
            roles.insert(at, OPENER[0])
            turns.insert(at, self._opener)
        return self._join(roles, turns, cut)

    def _join(self, roles: list[str], turns: list[list[int]], cut: Cut) -> Rendering:
        token_ids = [self._bos, *chain.from_iterable(turns)]
        before_reply = sum(len(turn) for turn in turns[: _last_reply(roles)])
        # the gate's pattern starts with the last token of the turn before the reply; BOS shifts all turns by one
        return Rendering(tuple(token_ids), before_reply, cut)

    def _turn(self, role: str, content: list[int]) -> list[int]:
        return [*self._header(role), *content, self._eot]

    def _header(self, role: str) -> list[int]:
        if role not in self._headers:
            name, gap = self.content.encode([role, "\n\n"])
            self._headers[role] = [self._start, *name, self._end, *gap]
        return self._headers[role]

    def _check_template(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if list(self.gate_pattern) != [self._eot, *self._header("assistant")]:
            raise ConfigurationError("tokenizer.json does not encode the assistant header as Llama-3's does")
        for probe in _PROBES:
            messages = [{"role": role, "content": content} for role, content in probe]
            try:
                wanted = tokenizer.apply_chat_template(messages, return_dict=False)
            except Exception as error:  # a template is a program and can raise anything
                raise ConfigurationError(f"the chat template fails: {type(error).__name__}") from error
            contents = self.content.encode([content.strip() for _, content in probe])
            turns = [self._turn(role, content) for (role, _), content in zip(probe, contents, strict=True)]
            if wanted != [self._bos, *chain.from_iterable(turns)]:
                raise ConfigurationError("the chat template is not Llama-3's, the only one that ArmoRM was trained on")


def _turns_from_reply(index: int, conversation: Sequence[Message]) -> int:
    """Count the last assistant turn and the turns after it."""
    roles = [role for role, _ in conversation]
    if "assistant" not in roles[1:]:
        raise ValueError(f"conversation {index}: no assistant turn after another, so no header to read the gate at")
    return len(roles) - _last_reply(roles)


def _last_reply(roles: Sequence[str]) -> int:
    return max(at for at, role in enumerate(roles) if role == "assistant")


def _token(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    token_id = tokenizer.backend_tokenizer.token_to_id(token)
    if token_id is None:
        raise ConfigurationError(
            f"tokenizer.json has no token `{token or 'bos_token'}`, which Llama-3's chat template needs"
        )
    return int(token_id)
