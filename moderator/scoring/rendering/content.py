"""Users' text to token ids: what is typed like a special token stays text."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from tokenizers import Tokenizer

from moderator.errors import ConfigurationError
from moderator.scoring.packing import plan_packs
from moderator.scoring.rendering.visible import Visible, visible

Span = tuple[int, int]
"""Where a part of a text begins and ends."""

_CHARACTERS_PER_TOKEN: Final = 8
"""More than in ordinary text."""
LONGEST_SPAN: Final = 16
"""Characters; hardly a token of ordinary text has more, but one of equal signs may have 64."""
_LONGEST_TOKEN: Final = 128
"""Characters: of white space in the vocabulary of Llama 3."""
_PIECE_CHARACTERS: Final = 2**13
"""A tokenizer takes more than twice as long for a word of twice the length."""
_ALONE_CHARACTERS: Final = 2**12
"""So few are not worth waking the tokenizer's threads, which then look for more work for a while."""
_BATCH_CHARACTERS: Final = 2**20
"""Tokenized at once: while this runs, a token takes some 200 bytes."""


class ContentEncoder:
    """A second copy of a tokenizer that treats special tokens as text. One thread owns it."""

    def __init__(self, backend: Tokenizer, *, is_inner: bool = False, control: Collection[str] = ()) -> None:
        """Copy the tokenizer.

        Args:
            backend: the checkpoint's; not changed.
            is_inner: texts follow other tokens, so the mark of a beginning is not put before them.
            control: tokens that separate turns; treated as special even if the tokenizer does not mark them so.

        Raises:
            ConfigurationError: typed text can still become a special token of its vocabulary.
        """
        written = _with_long_words_divided(_without_special_pieces(_with_special(backend.to_str(), control)))
        self._text = Tokenizer.from_str(_without_beginning(written) if is_inner else written)
        self._text.encode_special_tokens = True
        self._text.no_truncation()
        self._text.no_padding()
        self._refuse_typed_tokens(backend)

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the ids of each text, in the order given, without tokens around them."""
        lengths = [len(text) for text in texts]
        if sum(lengths) < _ALONE_CHARACTERS:
            yield from (self._text.encode(text, add_special_tokens=False).ids for text in texts)
            return
        for batch in plan_packs(lengths, _BATCH_CHARACTERS):
            encodings = self._text.encode_batch_fast(texts[batch.start : batch.stop], add_special_tokens=False)
            ids = [encoding.ids for encoding in encodings]
            del encodings  # large, and not needed while the next batch runs
            yield from ids

    def spans(self, text: str, more_than: int | None = None, *, longest: int | None = None) -> list[Span]:
        """Return where in `text` each token begins and ends, in characters.

        Args:
            text: tokenized piece by piece, so that a word across two pieces may have a token more.
            more_than: no more pieces are read than are needed for more spans than this.
            longest: a token of more characters becomes several spans.
        """
        spans: list[Span] = []
        for start in range(0, len(text), _PIECE_CHARACTERS):
            spans += self._spans_of(text[start : start + _PIECE_CHARACTERS], start, longest)
            if more_than is not None and len(spans) > more_than:
                break
        return spans

    def last_spans(self, text: str, more_than: int, *, longest: int | None = None) -> list[Span]:
        """Return the same of the last tokens: a few more than `more_than`, or all that there are."""
        pieces: list[list[Span]] = []
        for end in range(len(text), 0, -_PIECE_CHARACTERS):
            start = max(0, end - _PIECE_CHARACTERS)
            pieces.append(self._spans_of(text[start:end], start, longest))
            if sum(map(len, pieces)) > more_than:
                break
        return [span for piece in reversed(pieces) for span in piece]

    def have_more(self, texts: Sequence[str], most: int, *, longest: int) -> Iterator[bool]:
        """Say of each text, in the order given, whether it has more than `most` spans."""
        parts = [text[: most * _CHARACTERS_PER_TOKEN] for text in texts]
        for text, part, ids in zip(texts, parts, self.encode(parts), strict=True):
            yield len(ids) > most or (len(part) < len(text) and len(self.spans(text, most, longest=longest)) > most)

    def beginning(self, text: str, most: int) -> str:
        """Remove the end of a text with more than `most` tokens, so that what is left has more of them too.

        For a turn that is read whole or not at all: what it holds beyond that need not be tokenized.
        """
        if len(text) <= most * LONGEST_SPAN:
            return text
        enough = most + most * _LONGEST_TOKEN // _PIECE_CHARACTERS + 1  # at each border of pieces two may become one
        spans = self.spans(text, enough)
        return text[: spans[enough][1]] if len(spans) > enough else text

    def without_middle(self, text: str, most: int) -> str:
        """Remove from the middle of a text what nobody reads if only `most` tokens of it are kept."""
        if len(text) <= most * LONGEST_SPAN:
            return text
        first = self.spans(text, most)
        if len(first) <= most:
            return text
        last = self.last_spans(text, most)
        if len(last) <= most or first[most][1] >= last[-most - 1][0]:
            return text
        return text[: first[most][1]] + text[last[-most - 1][0] :]

    def _spans_of(self, piece: str, start: int, longest: int | None) -> list[Span]:
        offsets = self._text.encode(piece, add_special_tokens=False).offsets
        if longest is None or all(last - first <= longest for first, last in offsets):
            return [(start + first, start + last) for first, last in offsets]
        return [
            (start + at, start + min(at + longest, last))
            for first, last in offsets
            for at in range(first, max(last, first + 1), longest)
        ]

    def _refuse_typed_tokens(self, backend: Tokenizer) -> None:
        texts = {token.content for token in self._text.get_added_tokens_decoder().values() if token.special}
        special = {
            token.content: at for at, token in backend.get_added_tokens_decoder().items() if token.content in texts
        }
        forbidden = set(special.values()) - {_unknown(backend)}
        for text, ids in zip(special, self.encode(list(special)), strict=True):
            if forbidden & set(ids):
                raise ConfigurationError(f"typed text can become the special token `{text}` of tokenizer.json")


def readable(content: str) -> Visible:
    """Return what is read of a content: what a reader sees; a lone surrogate, which no tokenizer accepts, is U+FFFD."""
    return visible(without_surrogates(content))


def without_surrogates(content: str) -> str:
    """Replace lone surrogates by U+FFFD."""
    try:
        content.encode()
    except UnicodeEncodeError:
        return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return content


def _with_special(written: str, control: Collection[str]) -> str:
    """Mark the tokens of `control` as special."""
    if not control:
        return written
    fields = json.loads(written)
    for token in fields["added_tokens"]:
        token["special"] = token["special"] or token["content"] in control
    return json.dumps(fields, separators=(",", ":"))  # as the library writes it


def _unknown(backend: Tokenizer) -> int | None:
    """Give the id of what the tokenizer does not know, which any text may have."""
    token = getattr(backend.model, "unk_token", None)
    if token is not None:
        return backend.token_to_id(token)
    unigram: dict[str, Any] = json.loads(backend.to_str())["model"]  # its class does not say
    return unigram.get("unk_id")


def _without_special_pieces(written: str) -> str:
    """Rename the special tokens among a unigram model's pieces, which would be found in text like any other piece.

    No text that is read holds the NUL of their new names. Their places and scores stay, for both count for others.
    """
    fields = json.loads(written) if '"Unigram"' in written else {"model": {}}
    if fields["model"].get("type") != "Unigram":
        return written
    special = {token["content"] for token in fields["added_tokens"] if token["special"]}
    pieces = fields["model"]["vocab"]
    fields["model"]["vocab"] = [[f"\0{piece}" if piece in special else piece, score] for piece, score in pieces]
    return json.dumps(fields)


def _with_long_words_divided(written: str) -> str:
    """Divide words that are too long for a WordPiece model, which would read such a word as unknown."""
    fields = json.loads(written) if '"WordPiece"' in written else {"model": {}}
    if fields["model"].get("type") != "WordPiece":
        return written
    part = {"Regex": f".{{1,{fields['model']['max_input_chars_per_word']}}}"}
    divide = {"type": "Split", "pattern": part, "behavior": "Isolated", "invert": False}
    before = [fields["pre_tokenizer"]] if fields["pre_tokenizer"] else []
    fields["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*before, divide]}
    return json.dumps(fields)


def _without_beginning(written: str) -> str:
    """Turn off the prefix that SentencePiece puts before the first word of a text."""
    if '"prepend_scheme":"first"' not in written:
        return written
    fields = json.loads(written)
    pre_tokenizer: Any = fields["pre_tokenizer"] or {}
    for each in [pre_tokenizer, *pre_tokenizer.get("pretokenizers", [])]:
        if each.get("prepend_scheme") == "first":
            each["prepend_scheme"] = "never"
    return json.dumps(fields)
