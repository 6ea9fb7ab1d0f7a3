"""A checkpoint's tokenizer and its chat template."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.files import TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, read_json, read_text


def read_tokenizer(folder: Path, vocab_size: int) -> PreTrainedTokenizerFast:
    """Read the tokenizer, with BOS, EOS and chat template where it has them.

    Raises:
        ConfigurationError: a file is missing or damaged, or text can come to ids beyond `vocab_size`.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    with naming(folder):
        backend = Tokenizer.from_file(str(path))
    backend.no_padding()  # whoever saved it may have left their own lengths in it
    backend.no_truncation()
    fields = read_json(folder / TOKENIZER_CONFIG)
    template = _template(folder, fields)
    ends = {name: _content(fields.get(name)) for name in ("bos_token", "eos_token")}
    for name, token in ends.items():
        if token is not None and token not in backend.get_vocab():
            # transformers would add it, with an id beyond the embedding
            raise ConfigurationError(f"{folder / TOKENIZER_CONFIG}: `{name}` must be a token of {TOKENIZER}")
    largest = _largest_id(backend, [*ends.values(), template])
    if largest >= vocab_size:
        raise ConfigurationError(f"{path}: token {largest} is beyond the model's `vocab_size` {vocab_size}")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **ends, chat_template=template, clean_up_tokenization_spaces=False
    )


@contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Put the checkpoint's folder in front of an error of its renderer or of the tokenizer's library.

    Raises:
        ConfigurationError: as it was raised, behind the folder; or the library could not work with the tokenizer.
    """
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{folder}: {error}") from error
    except BaseException as error:
        # tokenizers raises nothing narrower than Exception, and where Rust panics something that is not even that
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise ConfigurationError(f"{folder / TOKENIZER}: not a sound tokenizer; fetch it again") from error


def _largest_id(backend: Tokenizer, used: Iterable[str | None]) -> int:
    """Find the largest id that text or template can come to; a padding token may lie beyond the embedding."""
    # what puts tokens around a text that no template renders, as JSON
    around = backend.post_processor.__getstate__().decode() if backend.post_processor else ""
    texts = [around, *filter(None, used)]
    readable = [
        number
        for number, token in backend.get_added_tokens_decoder().items()
        if not token.special or any(token.content in text for text in texts)
    ]
    return max([*readable, *backend.get_vocab(with_added_tokens=False).values()], default=0)


def _template(folder: Path, fields: dict[str, Any]) -> str | None:
    path = folder / TEMPLATE
    template = read_text(path) if path.is_file() else fields.get("chat_template")
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict)]
        template = next((entry.get("template") for entry in named if entry.get("name") == "default"), None)
    return template if isinstance(template, str) and template.strip() else None


def _content(token: object) -> str | None:
    """Read a special token: a text, or an object with its `content`."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None
