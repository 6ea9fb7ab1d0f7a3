"""Files that a command writes beside what it prints; never over policies."""

import sys
from pathlib import Path

from moderator.errors import ConfigurationError, reason_of


def refuse_policy_file(path: Path, *folders: Path, what: str) -> None:
    """Refuse a place where policies are, or may be: in one of the folders, or a YAML file that is there already.

    Raises:
        ConfigurationError: it is such a place; `what` names what was to be written there.
    """
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise ConfigurationError(f"`{path}` lies in a policy folder: name a file elsewhere for {what}")
    if path.suffix.lower() in (".yaml", ".yml") and path.exists():
        raise ConfigurationError(f"`{path}` is there already, and is YAML: name another file for {what}")


def write_file(path: Path, text: str, hint: str = "") -> None:
    """Write a file, in a new folder where there is none, and say so on stderr, with a hint.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {reason_of(error)}") from error
    sys.stderr.write(f"wrote {path}{hint}\n")
