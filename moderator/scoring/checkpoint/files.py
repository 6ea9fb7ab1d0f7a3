"""The names of a checkpoint's files; read those that are text or JSON."""

import json
from pathlib import Path
from typing import Any, Final

from moderator.errors import ConfigurationError

CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
SPECIAL_TOKENS: Final = "special_tokens_map.json"
ADDED_TOKENS: Final = "added_tokens.json"
TEMPLATE: Final = "chat_template.jinja"
JSON_TEMPLATE: Final = "chat_template.json"
TEMPLATE_FOLDERS: Final = ("chat_templates", "additional_chat_templates")
"""Of named templates; transformers writes the latter."""
ADAPTER: Final = "adapter_config.json"
QUANTIZED: Final = "quantize_config.json"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`; its fields are not checked, except for those that name another kind of checkpoint.

    Raises:
        ConfigurationError: no such file, or not a JSON object; or the folder holds an adapter or quantised weights.
    """
    if (folder / ADAPTER).is_file():
        base = read_json(folder / ADAPTER).get("base_model_name_or_path")
        raise ConfigurationError(
            f"{folder}: an adapter for `{base}`, not a model: merge it (peft: merge_and_unload, save_pretrained) and "
            "name that folder"
        )
    if not (folder / CONFIG).is_file():
        raise ConfigurationError(f"{folder}: holds no checkpoint: {CONFIG} is missing{_those_within(folder)}")
    fields = read_json(folder / CONFIG)
    _refuse_quantised(folder, fields)
    return fields


def quantised(where: Path | str, method: object) -> ConfigurationError:
    """Return the error that says how weights were quantised."""
    return ConfigurationError(
        f"{where}: quantised weights ({method}) cannot be loaded; name the checkpoint they were made from"
    )


def _refuse_quantised(folder: Path, fields: dict[str, Any]) -> None:
    declared = fields.get("quantization_config")
    if declared is not None:
        method = declared.get("quant_method") if isinstance(declared, dict) else None
        raise quantised(folder / CONFIG, method or "`quantization_config`")
    if (folder / QUANTIZED).is_file():
        raise quantised(folder / QUANTIZED, "gptq")


def _those_within(folder: Path) -> str:
    """Say which of a folder's own folders hold a checkpoint."""
    try:
        within = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    except OSError:
        return ""
    names = ", ".join(f"`{name}`" for name in within)
    return f"; name one of the folders in it that hold one: {names}" if within else ""


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
