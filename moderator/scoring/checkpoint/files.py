"""The names of a checkpoint's files; read those that are text or JSON."""

import json
from pathlib import Path
from typing import Any, Final

from moderator.errors import ConfigurationError

CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
TEMPLATE: Final = "chat_template.jinja"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`, unchecked.

    Raises:
        ConfigurationError: no such file, or not a JSON object.
    """
    return read_json(folder / CONFIG)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConfigurationError: no such file, or not a JSON object; the text names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid JSON") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: not a JSON object")
    return content


def read_text(path: Path) -> str:
    """Read UTF-8 text.

    Raises:
        ConfigurationError: it cannot be read, or is in another encoding; the text names the file.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text; download it again") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
