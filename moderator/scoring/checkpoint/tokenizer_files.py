"""A checkpoint's tokenizer: built by transformers, so that every file and field counts as it does there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.chat_template import read_template
from moderator.scoring.checkpoint.files import ADDED_TOKENS, SPECIAL_TOKENS, TOKENIZER, TOKENIZER_CONFIG, read_json

_TOKEN_FIELDS: Final = ("single_word", "lstrip", "rstrip", "normalized")


def read_tokenizer(folder: Path, vocab_size: int, template: str | None = None) -> PreTrainedTokenizerFast:
    """Read the tokenizer, its special tokens, and its chat template if it has one.

    Args:
        folder: of the checkpoint.
        vocab_size: of the model.
        template: name of the chat template; None: the default one.

    Raises:
        ConfigurationError: a file is missing or damaged, or text can have ids beyond `vocab_size`.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ConfigurationError(
            f"{folder}: no {TOKENIZER}: write it once with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
        )
    chosen = read_template(folder, read_json(folder / TOKENIZER_CONFIG), template)
    tokenizer = _build(folder)
    tokenizer.chat_template = chosen
    backend = tokenizer.backend_tokenizer
    backend.no_padding()  # lengths may have been saved with it
    backend.no_truncation()
    largest = _largest_id(backend, chosen or "")
    if largest >= vocab_size:
        raise ConfigurationError(f"{path}: token {largest} is beyond the model's `vocab_size` {vocab_size}")
    _refuse_beyond(tokenizer, vocab_size, folder)
    return tokenizer


def tokenizer_files(folder: Path) -> list[Path]:
    """Give the files from which the tokenizer is built: those of special tokens only where no list in another wins."""
    is_listed = "added_tokens_decoder" in read_json(folder / TOKENIZER_CONFIG)
    legacy = () if is_listed else (SPECIAL_TOKENS, ADDED_TOKENS)
    return [folder / name for name in (TOKENIZER, TOKENIZER_CONFIG, *legacy) if (folder / name).is_file()]


def automatic(folder: Path) -> PreTrainedTokenizerFast:
    """Read the tokenizer as transformers does by itself, without its chat template.

    It runs no code of the folder, and asks no network.

    Raises:
        Exception: of any kind: transformers cannot read it.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, **_arguments(folder))
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise TypeError(f"{type(tokenizer).__name__} does not use {TOKENIZER}")
    return tokenizer


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


def _build(folder: Path) -> PreTrainedTokenizerFast:
    """Build it as `AutoTokenizer` does; where that cannot read the folder, from its files alone.

    Its class may need code that is not run, or a package that is not installed.
    """
    arguments = _arguments(folder)
    with naming(folder):
        try:
            return automatic(folder)
        except Exception:  # noqa: BLE001 - of any kind; the check at start says which
            Tokenizer.from_file(str(folder / TOKENIZER))  # fails where the file itself is the reason
    return _from_files(folder, arguments)


def _from_files(folder: Path, arguments: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    try:
        return PreTrainedTokenizerFast.from_pretrained(folder, **arguments)  # type: ignore[no-any-return]
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{folder / TOKENIZER_CONFIG}: transformers cannot read it: {reason}") from error


def _arguments(folder: Path) -> dict[str, Any]:
    """Give what both readers are called with: special tokens that are written as objects, which they do not read.

    Raises:
        ConfigurationError: a special token is neither a text nor an object with its `content`.
    """
    path = folder / TOKENIZER_CONFIG
    fields = read_json(path)
    # the template is read by us, so that a damaged one cannot stop them
    arguments: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, "chat_template": None}
    for name in PreTrainedTokenizerFast.SPECIAL_TOKENS_ATTRIBUTES:
        token = fields.get(name)
        content = token.get("content") if isinstance(token, dict) else token
        if token is not None and not _is_text(content):
            raise ConfigurationError(f"{path}: `{name}` must be a token of {TOKENIZER}")
        if isinstance(token, dict):
            how = {key: token[key] for key in _TOKEN_FIELDS if isinstance(token.get(key), bool)}
            arguments[name] = AddedToken(content, special=True, **how)
    return arguments


def _is_text(content: object) -> bool:
    return isinstance(content, str) and content != "" and not any("\ud800" <= each <= "\udfff" for each in content)


def _refuse_beyond(tokenizer: PreTrainedTokenizerFast, vocab_size: int, folder: Path) -> None:
    """Refuse special tokens that the embedding lacks, except padding that the template does not write."""
    named = {token: name for name, token in tokenizer.special_tokens_map.items()}
    tokens = list(tokenizer.all_special_tokens)
    if named.get(tokenizer.pad_token) == "pad_token" and "pad_token" not in (tokenizer.chat_template or ""):
        tokens.remove(tokenizer.pad_token)
    for token in tokens:
        number = tokenizer.get_vocab()[token]
        if number >= vocab_size:
            raise ConfigurationError(
                f"{folder / TOKENIZER_CONFIG}: `{named.get(token, 'additional_special_tokens')}`: `{token}` has the id "
                f"{number}, beyond the model's `vocab_size` {vocab_size}; it must be a token of {TOKENIZER}"
            )


def _largest_id(backend: Tokenizer, template: str) -> int:
    """Find the largest id that a text or the template's own text can have; a token that neither has may be larger."""
    # as JSON: adds tokens around a text that is rendered without a template
    around = backend.post_processor.__getstate__().decode() if backend.post_processor else ""
    readable = [
        number
        for number, token in backend.get_added_tokens_decoder().items()
        if not token.special or token.content in around or token.content in template
    ]
    return max([*readable, *backend.get_vocab(with_added_tokens=False).values()], default=0)
