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
    """Read the tokenizer, with BOS, EOS and chat template if it has them.

    Raises:
        ConfigurationError: a file is missing or damaged, or text can have ids beyond `vocab_size`.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    with naming(folder):
        backend = Tokenizer.from_file(str(path))
    backend.no_padding()  # lengths may have been saved with it
    backend.no_truncation()
    fields = read_json(folder / TOKENIZER_CONFIG)
    template = _template(folder, fields)
    ends = {name: _content(fields.get(name)) for name in ("bos_token", "eos_token")}
    for name, token in ends.items():
        if token is not None and token not in backend.get_vocab():
            # transformers would add it, with an id that the embedding does not have
            raise ConfigurationError(f"{folder / TOKENIZER_CONFIG}: `{name}` must be a token of {TOKENIZER}")
    largest = _largest_id(backend, [*ends.values(), template])
    if largest >= vocab_size:
        raise ConfigurationError(f"{path}: token {largest} is beyond the model's `vocab_size` {vocab_size}")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **ends, chat_template=template, clean_up_tokenization_spaces=False
    )


@contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Name the checkpoint's folder in errors of its renderer and of the tokenizer's library.

    Raises:
        ConfigurationError: as it was raised, after the folder's name; or the library cannot use the tokenizer.
    """
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{folder}: {error}") from error
    except BaseException as error:
        # tokenizers raises plain Exception, and after a panic in Rust something that is not even an Exception
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise ConfigurationError(f"{folder / TOKENIZER}: not a valid tokenizer; download it again") from error


def _largest_id(backend: Tokenizer, used: Iterable[str | None]) -> int:
    """Find the largest id that a text or the template can have; a padding token may have a larger one."""
    # as JSON: adds tokens around a text that is rendered without a template
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
