"""Users' text to token ids: what is typed like a special token stays text."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from tokenizers import Tokenizer

from moderator.errors import ConfigurationError
from moderator.scoring.packing import plan_packs
from moderator.scoring.rendering.visible import Visible, visible

_CHARACTERS_PER_TOKEN: Final = 8
"""More than in ordinary text."""
_PIECE_CHARACTERS: Final = 2**16
"""A tokenizer takes more than twice as long for a word of twice the length."""
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
        written = _with_special(backend.to_str(), control)
        self._text = Tokenizer.from_str(_without_beginning(written) if is_inner else written)
        self._text.encode_special_tokens = True
        self._text.no_truncation()
        self._text.no_padding()
        self._refuse_typed_tokens()

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the ids of each text, in the order given, without tokens around them."""
        for batch in plan_packs([len(text) for text in texts], _BATCH_CHARACTERS):
            encodings = self._text.encode_batch_fast(texts[batch.start : batch.stop], add_special_tokens=False)
            ids = [encoding.ids for encoding in encodings]
            del encodings  # large, and not needed while the next batch runs
            yield from ids

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where in `text` each token begins and ends, in characters."""
        starts = range(0, len(text), _PIECE_CHARACTERS)
        pieces = [text[start : start + _PIECE_CHARACTERS] for start in starts]
        encodings = self._text.encode_batch(pieces, add_special_tokens=False)
        return [
            (start + first, start + last)
            for start, encoding in zip(starts, encodings, strict=True)
            for first, last in encoding.offsets
        ]

    def head(self, text: str, most: int) -> str:
        """Return a beginning of `text` that has more than `most` tokens, or the whole text if it has no more."""
        return next(text[:end] for end in _growing(len(text), most) if self._is_enough(text[:end], text, most))

    def tail(self, text: str, most: int) -> str:
        """Return an end of `text` that has more than `most` tokens, or the whole text if it has no more."""
        return next(text[-end:] for end in _growing(len(text), most) if self._is_enough(text[-end:], text, most))

    def have_more(self, texts: Sequence[str], most: int) -> Iterator[bool]:
        """Tell of each text, in the order given, whether it has more than `most` tokens."""
        parts = [text[: most * _CHARACTERS_PER_TOKEN] for text in texts]
        for text, part, ids in zip(texts, parts, self.encode(parts), strict=True):
            yield len(ids) > most or (len(part) < len(text) and len(next(self.encode([self.head(text, most)]))) > most)

    def without_middle(self, text: str, most: int) -> str:
        """Remove from the middle of a text what nobody reads if only `most` tokens of it are kept."""
        if len(text) <= most * _CHARACTERS_PER_TOKEN:
            return text
        head, tail = self.head(text, most), self.tail(text, most)
        return head + tail if len(head) + len(tail) < len(text) else text

    def _is_enough(self, part: str, text: str, most: int) -> bool:
        return len(part) == len(text) or len(next(self.encode([part]))) > most

    def _refuse_typed_tokens(self) -> None:
        special = {token.content: at for at, token in self._text.get_added_tokens_decoder().items() if token.special}
        unknown = getattr(self._text.model, "unk_token", None)
        forbidden = {at for text, at in special.items() if text != unknown}
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


def _growing(length: int, most: int) -> Iterator[int]:
    """Yield how many characters to try, until all of them; nearly always the first holds more than `most` tokens."""
    size = most * _CHARACTERS_PER_TOKEN
    while size < length:
        yield size
        size *= 4
    yield length


def _with_special(written: str, control: Collection[str]) -> str:
    """Mark the tokens of `control` as special."""
    if not control:
        return written
    fields = json.loads(written)
    for token in fields["added_tokens"]:
        token["special"] = token["special"] or token["content"] in control
    return json.dumps(fields, separators=(",", ":"))  # as the library writes it


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
