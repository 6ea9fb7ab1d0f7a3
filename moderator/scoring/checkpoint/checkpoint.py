"""A checkpoint's files: where they are, what they say, what they hash to. Safetensors and JSON, no code of others."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN, model_name
from moderator.scoring.checkpoint.armorm_config import ArmoRMConfig
from moderator.scoring.checkpoint.weights import INDEX, SINGLE, Weights, read_json
from moderator.scoring.runtime.device import choose_dtype, prepare_device

_CONFIG: Final = "config.json"
_TOKENIZER: Final = "tokenizer.json"
_TOKENIZER_CONFIG: Final = "tokenizer_config.json"
_TEMPLATE: Final = "chat_template.jinja"
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_FILES: Final = [_CONFIG, _TOKENIZER, _TOKENIZER_CONFIG, _TEMPLATE, INDEX, "*.safetensors"]


@dataclass(frozen=True, slots=True)
class Location:
    """A checkpoint folder on this machine, and what people call it."""

    folder: Path
    name: str
    is_builtin: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose config, tokenizer and template are read and whose weights are not yet.

    Attributes:
        tokenizer: with its chat template.
    """

    folder: Path
    config: ArmoRMConfig
    tokenizer: PreTrainedTokenizerFast


def locate(path: str | os.PathLike[str]) -> Location:
    """Find the checkpoint: `builtin`, a folder, or else a hub id, which is downloaded without any pickle.

    Raises:
        ConfigurationError: there is no such folder, or the hub does not give it.
    """
    wanted = os.fspath(path)
    if wanted == BUILTIN:
        return Location(Path(__file__).parents[1] / BUILTIN, BUILTIN, is_builtin=True)
    folder = Path(wanted)
    try:
        is_folder, is_there = bool(wanted) and folder.is_dir(), folder.exists()
    except OSError as error:
        raise ConfigurationError(f"model `{wanted}`: cannot be read: {error.strerror}") from error
    if is_folder:
        return Location(folder, model_name(folder))
    if is_there or not _HUB_ID.fullmatch(wanted):
        raise ConfigurationError(f"model `{wanted}`: no such folder, and not a hub id such as `owner/name`")
    try:
        snapshot = snapshot_download(wanted, allow_patterns=_HUB_FILES)
    except Exception as error:  # the hub's client lets through whatever its HTTP library raises
        raise ConfigurationError(
            f"model `{wanted}`: no such folder, and the model hub does not give it ({type(error).__name__}); "
            "check the name and the connection, or download it elsewhere and name the folder"
        ) from error
    return Location(Path(snapshot), folder.name)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read config, tokenizer and chat template.

    Raises:
        ConfigurationError: one of them is missing or damaged; the text names file and key.
    """
    config = ArmoRMConfig.from_fields(read_config(folder), where=str(folder / _CONFIG))
    tokenizer = read_tokenizer(folder, config.backbone.vocab_size)
    if tokenizer.chat_template is None:
        raise ConfigurationError(f"{folder}: no chat template in {_TOKENIZER_CONFIG} (`chat_template`) or {_TEMPLATE}")
    if tokenizer.bos_token is None:
        raise ConfigurationError(f"{folder / _TOKENIZER_CONFIG}: `bos_token` must be a token of {_TOKENIZER}")
    return Checkpoint(folder, config, tokenizer)


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`, unchecked.

    Raises:
        ConfigurationError: no such file, or not a JSON object.
    """
    return read_json(folder / _CONFIG)


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
        raise ConfigurationError(f"{folder / _TOKENIZER}: not a sound tokenizer; fetch it again") from error


def read_tokenizer(folder: Path, vocab_size: int) -> PreTrainedTokenizerFast:
    """Read the tokenizer, with BOS, EOS and chat template where it has them.

    Raises:
        ConfigurationError: a file is missing or damaged, or text can come to ids beyond `vocab_size`.
    """
    path = folder / _TOKENIZER
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    with naming(folder):
        backend = Tokenizer.from_file(str(path))
    backend.no_padding()  # whoever saved it may have left their own lengths in it
    backend.no_truncation()
    fields = read_json(folder / _TOKENIZER_CONFIG)
    template = _template(folder, fields)
    ends = {name: _content(fields.get(name)) for name in ("bos_token", "eos_token")}
    for name, token in ends.items():
        if token is not None and token not in backend.get_vocab():
            # transformers would add it, with an id beyond the embedding
            raise ConfigurationError(f"{folder / _TOKENIZER_CONFIG}: `{name}` must be a token of {_TOKENIZER}")
    largest = _largest_id(backend, [*ends.values(), template])
    if largest >= vocab_size:
        raise ConfigurationError(f"{path}: token {largest} is beyond the model's `vocab_size` {vocab_size}")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **ends, chat_template=template, clean_up_tokenization_spaces=False
    )


def fill(
    network: torch.nn.Module, folder: Path, heads: tuple[str, ...], dtype: str | torch.dtype, device: torch.device
) -> str:
    """Read a network's weights onto the device, hashing the files meanwhile; give the checkpoint's fingerprint.

    Args:
        network: without weights.
        folder: of the checkpoint.
        heads: what the names of tensors begin with that are kept in float32.
        dtype: of all others; auto: see `choose_dtype`.
        device: where it is to run.

    Returns:
        `sha256:` and 64 hex digits.

    Raises:
        ConfigurationError: a file or a key is missing, unexpected, damaged or misshapen, or the device too small.
    """
    weights = Weights(folder, {name: each.shape for name, each in network.state_dict().items()})
    backbone = choose_dtype(dtype, weights.dtype, device)

    def place(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if not name.startswith(heads):
            return tensor.to(device, backbone, copy=True)
        head = tensor.to(device, torch.float32, copy=True)
        if not torch.isfinite(head).all():  # float64 may hold what float32 cannot
            raise ConfigurationError(f"{folder}: `{name}` holds a number that is not finite in float32")
        return head

    prepare_device(device)
    read = _files_read(folder, weights)
    try:
        with ThreadPoolExecutor() as pool:
            digests = pool.map(_sha256, read)
            network.load_state_dict({name: place(name, tensor) for name, tensor in weights.read()}, assign=True)
    except torch.OutOfMemoryError as error:
        raise ConfigurationError(f"device `{device}` has too little memory for {folder}") from error
    network.to(device).requires_grad_(requires_grad=False)
    return _fingerprint(dict(zip(read, digests, strict=True)))


def fingerprint(folder: Path, weights: Weights) -> str:
    """Hash a checkpoint's files without keeping its tensors: what `fill` gives."""
    read = _files_read(folder, weights)
    with ThreadPoolExecutor() as pool:
        return _fingerprint(dict(zip(read, pool.map(_sha256, read), strict=True)))


def save_checkpoint(
    folder: Path, model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, config: ArmoRMConfig
) -> None:
    """Write a folder that loads to exactly this model.

    Args:
        folder: made where it is missing.
        model: an `ArmoRMModel`; its tensors are written in their dtype.
        tokenizer: with a Llama-3 chat template.
        config: the model's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    (folder / _CONFIG).write_text(json.dumps(config.to_fields(), indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    save_file(tensors, folder / SINGLE, metadata={"format": "pt"})
    (folder / SINGLE).chmod((folder / _CONFIG).stat().st_mode)  # safetensors leaves it to its owner alone


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
    path = folder / _TEMPLATE
    template = _text(path) if path.is_file() else fields.get("chat_template")
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict)]
        template = next((entry.get("template") for entry in named if entry.get("name") == "default"), None)
    return template if isinstance(template, str) and template.strip() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text; fetch it again") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _content(token: object) -> str | None:
    """Read a special token: a text, or an object with its `content`."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _files_read(folder: Path, weights: Weights) -> list[Path]:
    described = [folder / name for name in (_CONFIG, _TOKENIZER, _TOKENIZER_CONFIG, _TEMPLATE)]
    return [file for file in described if file.is_file()] + weights.files


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fingerprint(digests: Mapping[Path, str]) -> str:
    """Hash names and hashes, in the form that `sha256sum` prints, sorted by name."""
    lines = [f"{digests[file]}  {file.name}\n" for file in sorted(digests, key=lambda file: file.name)]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
