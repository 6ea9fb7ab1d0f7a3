"""Files that a command writes besides what it prints; never over policies."""

import sys
from pathlib import Path

from moderator.errors import ConfigurationError, reason_of


def refuse_policy_file(path: Path, *folders: Path, what: str) -> None:
    """Refuse a path where policies are or may be: inside one of the folders, or an existing YAML file.

    Raises:
        ConfigurationError: it is such a path; `what` names what was to be written there.
    """
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise ConfigurationError(f"`{path}` is in a policy folder: name a file elsewhere for {what}")
    if path.suffix.lower() in (".yaml", ".yml") and path.exists():
        raise ConfigurationError(f"`{path}` exists already, and is YAML: name another file for {what}")


def write_file(path: Path, text: str, hint: str = "") -> None:
    """Write a file, make its folder if needed, and report it on stderr with a hint.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {reason_of(error)}") from error
    sys.stderr.write(f"wrote {path}{hint}\n")
