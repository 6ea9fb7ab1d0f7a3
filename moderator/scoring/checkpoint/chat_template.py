"""A checkpoint's chat template: where it may be written, and which of several is used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.files import JSON_TEMPLATE, TEMPLATE, TEMPLATE_FOLDERS, read_json, read_text

_DEFAULT: Final = "default"


def template_files(folder: Path) -> list[Path]:
    """Give the files that are read for templates alone."""
    named = [file for name in TEMPLATE_FOLDERS for file in sorted((folder / name).glob("*.jinja"))]
    return [*[*filter(Path.is_file, (folder / TEMPLATE, folder / JSON_TEMPLATE))][:1], *named]


def read_template(folder: Path, tokenizer_fields: Mapping[str, Any], name: str | None) -> str | None:
    """Read the chat template; None if there is none.

    Args:
        folder: of the checkpoint.
        tokenizer_fields: of its `tokenizer_config.json`.
        name: which of several; None: `default`, or the only one.

    Raises:
        ConfigurationError: a file cannot be read, there is no template of that `name`, or none is called `default`.
    """
    templates = _by_name(folder, tokenizer_fields)
    if name is not None and name not in templates:
        raise ConfigurationError(f"{folder}: no chat template is called `{name}`; there is {_listed(templates)}")
    if name is None and _DEFAULT not in templates and len(templates) > 1:
        raise ConfigurationError(
            f"{folder}: no chat template is called `{_DEFAULT}`; say which one to use with "
            f"`MODERATOR_MODEL__TEMPLATE`: {_listed(templates)}"
        )
    return templates.get(name or _DEFAULT) or next(iter(templates.values()), None)


def _by_name(folder: Path, tokenizer_fields: Mapping[str, Any]) -> dict[str, str]:
    """Find the templates in the order in which one place wins over another; files of named ones add to any place."""
    written: object = tokenizer_fields.get("chat_template")
    if (folder / TEMPLATE).is_file():
        written = read_text(folder / TEMPLATE)
    elif (folder / JSON_TEMPLATE).is_file():
        written = read_json(folder / JSON_TEMPLATE).get("chat_template")
    named = {
        path.stem: read_text(path) for part in TEMPLATE_FOLDERS for path in sorted((folder / part).glob("*.jinja"))
    }
    templates = _named(written) | dict[object, object](named)
    return {
        name: text
        for name, text in templates.items()
        if isinstance(name, str) and isinstance(text, str) and text.strip()
    }


def _named(written: object) -> dict[object, object]:
    """Read one template, a list of objects with `name` and `template`, or an object of templates by name."""
    match written:
        case dict():
            return dict(written)
        case list():
            objects = [each for each in written if isinstance(each, dict)]
            return {name: each.get("template") for each in objects if isinstance(name := each.get("name"), str)}
    return {_DEFAULT: written}


def _listed(templates: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in templates) or "none"
