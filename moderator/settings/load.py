"""Read the settings: flags win over the environment, it over files of secrets, they over `moderator.yaml`.

A secret is a file in the folder that `MODERATOR_SECRETS_DIR` names, called like its variable in any case, such as
`MODERATOR_KAFKA__SASL_PASSWORD`; a file called otherwise stops the start, unless its name begins with a dot.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from moderator.errors import ConfigurationError
from moderator.settings.names import is_secret, known_settings
from moderator.settings.parts import Settings
from moderator.settings.sources import Origin, from_environment, from_file, from_flags, from_secrets, unknown_in

_SHOWN_CHARACTERS = 60


def load_settings(
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read and check the settings.

    Args:
        overrides: what flags say, by path (`{"model.path": "builtin"}`); None means that the flag was not given.
        environ: the environment; the process' own by default. An empty variable counts as unset, but
            for the group's, which is refused.
        folder: where `moderator.yaml` is searched for; the working folder by default.

    Raises:
        ConfigurationError: a key is unknown or a value wrong; one line each, which names the key and where it came
            from and never shows a secret.
    """
    environ = os.environ if environ is None else environ
    origins = _origins(overrides or {}, environ, folder or Path())
    if problems := [problem for origin in origins for problem in unknown_in(origin)]:
        raise ConfigurationError("\n".join(problems))
    try:
        return Settings.model_validate(_nest(_merge(origins)))
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigurationError("\n".join(_problem(detail, origins) for detail in details)) from None


def settings_from(overrides: Mapping[str, object], environ: Mapping[str, str] | None = None) -> list[str]:
    """Name the places that set something, such as `the environment`, the strongest first; see `load_settings`."""
    origins = _origins(overrides, os.environ if environ is None else environ, Path())
    return [origin.title for origin in origins if origin.values]


def _origins(overrides: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> list[Origin]:
    return [
        from_flags(overrides),
        from_environment(environ),
        from_secrets(environ),
        from_file(folder / "moderator.yaml"),
    ]


def _merge(origins: list[Origin]) -> dict[str, object]:
    return {path: value for origin in reversed(origins) for path, value in origin.values.items()}


def _nest(values: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for path, value in values.items():
        part, _, name = path.rpartition(".")
        if not part:
            nested[name] = value
        else:
            group = nested.setdefault(part, {})
            assert isinstance(group, dict)
            group[name] = value
    return nested


def _problem(detail: ErrorDetails, origins: list[Origin]) -> str:
    path = ".".join(str(step) for step in detail["loc"])
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    field = known_settings().get(path)
    if field is None:
        return f"settings of `{path}`: {text}; set in {_origins_of_part(path, origins)}"
    origin = next(origin for origin in origins if path in origin.values)
    shown = "" if is_secret(field) else f" is `{_clip(detail['input'])}`:"
    return f"{origin.name(path)}{shown} {text}"


def _origins_of_part(part: str, origins: list[Origin]) -> str:
    return ", ".join(_titles_of_part(part, origins)) or "nothing but defaults"


def _titles_of_part(part: str, origins: list[Origin]) -> Iterator[str]:
    for origin in origins:
        if any(path.startswith(f"{part}.") for path in origin.values):
            yield origin.title


def _clip(value: object) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
