"""Chat turns to token ids, as the Llama-3 chat template renders them, cut to what the model reads.

Content is encoded by a second copy of the tokenizer that knows no special tokens: a user who types
`<|eot_id|>` gets its letters, not the token, and can forge neither a turn nor the gate.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.framing import OPENER, Message, opener_at
from moderator.scoring.truncation import first_turn, head_and_tail

_GATE_HEADER: Final = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
_CHARACTERS_PER_TOKEN: Final = 8
"""More than ordinary text has: what is longer is cut before it is tokenized, so 10 MB never are for 4,000 tokens."""
_LEAST_CONTENT_TOKENS: Final = 8

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


class Rendering(NamedTuple):
    """A conversation as token ids.

    Attributes:
        token_ids: BOS, then the turns.
        gate_row: index in `token_ids` where the last assistant header starts, at the end of the turn before it.
        truncated: turns or text were left out.
    """

    token_ids: tuple[int, ...]
    gate_row: int
    truncated: bool


class _Cut(NamedTuple):
    """The turns of a conversation that can still fit, judged by characters.

    Attributes:
        first: index in the conversation of the first turn kept.
        is_shortened: the last turn's middle is gone.
    """

    turns: list[Message]
    first: int
    is_shortened: bool


class Renderer:
    """Renders conversations for one tokenizer and one limit. One thread owns it."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Check that the tokenizer and its chat template are of the Llama-3 kind.

        Args:
            tokenizer: the checkpoint's, with its chat template; not changed.
            max_tokens: no rendering is longer.

        Raises:
            ConfigurationError: the template renders otherwise than we would, or `max_tokens` leaves no room for text.
        """
        self.max_tokens = max_tokens
        self._text = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._text.encode_special_tokens = True
        self._text.no_truncation()
        self._text.no_padding()
        self._bos = _token(tokenizer, tokenizer.bos_token or "")
        self._start, self._end, self._eot = (
            _token(tokenizer, token) for token in ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
        )
        self._headers: dict[str, list[int]] = {}
        self.gate_pattern = tuple(tokenizer.encode(_GATE_HEADER, add_special_tokens=False))
        self._opener = self._turn(OPENER[0], self._encode([OPENER[1]])[0])
        self._check_template(tokenizer)
        self._most_turns = max_tokens // (len(self.gate_pattern) - 1)
        if max_tokens < 1 + len(self._opener) + len(self.gate_pattern) + _LEAST_CONTENT_TOKENS:
            raise ConfigurationError(f"`max_input_tokens` is {max_tokens}: too few to hold a message; raise it")

    def render(self, conversations: Sequence[Sequence[Message]]) -> list[Rendering]:
        """Render each conversation, in the order given; what is too long loses its oldest turns first.

        Args:
            conversations: any number of them, framed or not; n >= 2 turns with an assistant's after the first.

        Raises:
            ValueError: a conversation has no assistant header to read the gate at; the text names its index.
        """
        cuts = [self._cut(index, conversation) for index, conversation in enumerate(conversations)]
        contents = iter(self._encode([content for cut in cuts for _, content in cut.turns]))
        return [self._fit(index, cut, [next(contents) for _ in cut.turns]) for index, cut in enumerate(cuts)]

    def _cut(self, index: int, conversation: Sequence[Message]) -> _Cut:
        """Leave out what cannot fit, before it costs anything."""
        if "assistant" not in [role for role, _ in conversation[1:]]:
            raise ValueError(f"conversation {index}: no assistant turn after another, so no header to read the gate at")
        room = self.max_tokens * _CHARACTERS_PER_TOKEN
        turns: list[Message] = []
        is_shortened = False
        for role, content in reversed(conversation):
            text = _readable(content)
            if not turns and len(text) > room:
                text, is_shortened = text[: room - room // 2] + text[-(room // 2) :], True
            room -= len(text)
            if turns and (room < 0 or len(turns) >= self._most_turns):
                break
            turns.append((role, text))
        return _Cut(turns[::-1], len(conversation) - len(turns), is_shortened)

    def _fit(self, index: int, cut: _Cut, contents: list[list[int]]) -> Rendering:
        roles = [role for role, _ in cut.turns]
        turns = [self._turn(role, content) for role, content in zip(roles, contents, strict=True)]
        is_whole = cut.first == 0 and not cut.is_shortened
        if is_whole and 1 + sum(map(len, turns)) <= self.max_tokens:
            return self._join(roles, turns, truncated=False)
        room = self.max_tokens - 1 - len(self._opener)
        if roles[-1] == "assistant" and len(turns[-1]) > room:
            turns[-1] = self._turn("assistant", head_and_tail(contents[-1], room - len(self.gate_pattern)))
        lengths = [len(turn) for turn in turns]
        anchor = _last_reply(roles)
        if anchor is None or sum(lengths[anchor:]) > room:
            raise ValueError(
                f"conversation {index}: what follows the last assistant header is more than the model reads"
            )
        return self._open(roles, turns, first_turn(lengths, offset=cut.first, anchor=anchor, room=room))

    def _open(self, roles: list[str], turns: list[list[int]], first: int) -> Rendering:
        """Begin with the turn `first`, put the opener where a reply would answer nothing."""
        roles, turns = roles[first:], turns[first:]
        at = opener_at(roles)
        if at is not None:
            roles.insert(at, OPENER[0])
            turns.insert(at, self._opener)
        return self._join(roles, turns, truncated=True)

    def _join(self, roles: list[str], turns: list[list[int]], *, truncated: bool) -> Rendering:
        token_ids = [self._bos, *chain.from_iterable(turns)]
        before_reply = sum(len(turn) for turn in turns[: _last_reply(roles)])
        # the gate's pattern starts at the end of the turn before the reply; BOS comes before all turns
        return Rendering(tuple(token_ids), before_reply, truncated)

    def _turn(self, role: str, content: list[int]) -> list[int]:
        return [*self._header(role), *content, self._eot]

    def _header(self, role: str) -> list[int]:
        if role not in self._headers:
            name, gap = self._encode([role, "\n\n"])
            self._headers[role] = [self._start, *name, self._end, *gap]
        return self._headers[role]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._text.encode_batch_fast(texts, add_special_tokens=False)]

    def _check_template(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if list(self.gate_pattern) != [self._eot, *self._header("assistant")]:
            raise ConfigurationError("tokenizer.json: the assistant header is not made of Llama-3's special tokens")
        for probe in _PROBES:
            messages = [{"role": role, "content": content} for role, content in probe]
            try:
                wanted = tokenizer.apply_chat_template(messages, return_dict=False)
            except Exception as error:  # a template is a program of others and raises what it likes
                raise ConfigurationError(f"the chat template fails: {type(error).__name__}") from error
            contents = self._encode([content.strip() for _, content in probe])
            turns = [self._turn(role, content) for (role, _), content in zip(probe, contents, strict=True)]
            if wanted != [self._bos, *chain.from_iterable(turns)]:
                raise ConfigurationError("the chat template is not Llama-3's, the only one that ArmoRM was trained on")


def _readable(content: str) -> str:
    """Strip as the template's `trim` does; a lone surrogate, which no tokenizer takes, becomes U+FFFD."""
    text = content.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _last_reply(roles: Sequence[str]) -> int | None:
    return next((at for at in range(len(roles) - 1, -1, -1) if roles[at] == "assistant"), None)


def _token(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    token_id = tokenizer.backend_tokenizer.token_to_id(token)
    if token_id is None:
        raise ConfigurationError(
            f"tokenizer.json: no token `{token or 'bos_token'}`, which Llama-3's chat template needs"
        )
    return int(token_id)
