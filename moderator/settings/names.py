"""Every setting by its path, such as `kafka.group_id`, and what the path is called in the environment."""

from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from moderator.settings.parts import Settings

PREFIX = "MODERATOR_"
NESTING = "__"


def known_settings(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, FieldInfo]:
    """Give every setting by its path, in the order of declaration."""
    known: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            known |= known_settings(part, f"{prefix}{name}.")
        else:
            known[prefix + name] = field
    return known


def variable_of(path: str) -> str:
    """Give the environment variable that sets `path`."""
    return PREFIX + path.upper().replace(".", NESTING)


def path_of(variable: str) -> str:
    """Give the path that an environment variable, of any case, sets."""
    return variable.lower().removeprefix(PREFIX.lower()).replace(NESTING, ".")


def is_secret(field: FieldInfo) -> bool:
    """Say whether the setting's value must never be shown."""
    return SecretStr in (field.annotation, *get_args(field.annotation))
