"""Where a checkpoint is: in the package, in a folder, or on the model hub."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download

from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN, model_name
from moderator.scoring.checkpoint.files import (
    ADAPTER,
    ADDED_TOKENS,
    CONFIG,
    INDEX,
    JSON_TEMPLATE,
    QUANTIZED,
    SPECIAL_TOKENS,
    TEMPLATE,
    TEMPLATE_FOLDERS,
    TOKENIZER,
    TOKENIZER_CONFIG,
)

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_FILES: Final = [
    *(CONFIG, ADAPTER, QUANTIZED, TOKENIZER, TOKENIZER_CONFIG, SPECIAL_TOKENS, ADDED_TOKENS),
    *(TEMPLATE, JSON_TEMPLATE, *(f"{name}/*.jinja" for name in TEMPLATE_FOLDERS)),
    *(INDEX, "*.safetensors"),
]


@dataclass(frozen=True, slots=True)
class Location:
    """A checkpoint folder on this machine, and what people call it."""

    folder: Path
    name: str
    is_builtin: bool = False


def locate(path: str | os.PathLike[str]) -> Location:
    """Find the checkpoint: `builtin`, a folder, or a hub id, which is downloaded without pickle files.

    Raises:
        ConfigurationError: there is no such folder, and the hub does not provide it.
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
    except Exception as error:  # the hub's client does not catch what its HTTP library raises
        raise ConfigurationError(
            f"model `{wanted}`: no such folder, and the model hub does not provide it ({type(error).__name__}); "
            "check the name and the connection, or download it elsewhere and name the folder"
        ) from error
    return Location(Path(snapshot), folder.name)
