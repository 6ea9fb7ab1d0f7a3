"""Which text generators are guards, and what a checkpoint's guard answers."""

import json
from collections.abc import Mapping
from pathlib import Path

from moderator.errors import ConfigurationError
from moderator.guards.file import read_verdicts
from moderator.guards.known import KNOWN
from moderator.guards.verdicts import Verdicts


def is_generator(config: Mapping[str, object]) -> bool:
    """Check whether a `config.json` is that of a network that writes text."""
    named = config.get("architectures")
    return isinstance(named, list) and bool(named) and str(named[0]).endswith("ForCausalLM")


def verdicts_of(template: str | None, file: Path | None, where: str) -> Verdicts:
    """Give what a guard answers: as a file says, else as its chat template shows.

    Args:
        template: the checkpoint's chat template.
        file: what `MODERATOR_MODEL__VERDICTS` names; it wins.
        where: the checkpoint, for errors.

    Raises:
        ConfigurationError: the file is wrong, or there is none and the template is of no guard that is known.
    """
    if file is not None:
        return read_verdicts(file)
    for signs, verdicts in KNOWN:
        if all(sign in (template or "") for sign in signs):
            return verdicts
    raise ConfigurationError(f"{where}: a text generator: name what it answers with in MODERATOR_MODEL__VERDICTS")


def template_beside(config: Path) -> str | None:
    """Give the chat template of the checkpoint that a `config.json` is of; None where it has none of its own."""
    try:
        return (config.parent / "chat_template.jinja").read_text("utf-8")
    except (OSError, ValueError):
        pass
    try:
        template = json.loads((config.parent / "tokenizer_config.json").read_bytes()).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None
    return template if isinstance(template, str) else None
