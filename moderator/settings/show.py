"""Show settings: those in effect as environment lines, all of them as a table."""

import shlex
from functools import reduce

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from moderator.settings.names import is_secret, known_settings, variable_of
from moderator.settings.parts import Settings


def effective_settings(settings: Settings) -> str:
    """Give the settings in effect as lines that can be pasted into a shell or an env file; secrets are left out."""
    lines = [_line(path, reduce(getattr, path.split("."), settings)) for path in known_settings()]
    return "\n".join(lines) + "\n"


def _line(path: str, value: object) -> str:
    variable = variable_of(path)
    if value is None:
        return f"# {variable} is not set"
    if isinstance(value, SecretStr):
        return f"# {variable} is set and secret"
    return f"{variable}={shlex.quote(str(value))}"


def settings_table() -> str:
    """Give the table of settings in Markdown."""
    rows = [
        f"| `{variable_of(path)}` | {_default(field)} | {field.description} |"
        for path, field in known_settings().items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "unset (secret)" if is_secret(field) else "unset"
    return f"`{field.default}`"
