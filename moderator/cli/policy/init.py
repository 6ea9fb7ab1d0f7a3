"""`moderator policy init`: a first policy folder that decides, and what to do next."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.policy.output import DEFAULT_FOLDER
from moderator.errors import ConfigurationError, reason_of
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Mapping


class Purpose(StrEnum):
    """What is to be judged."""

    MESSAGES = "messages"
    REPLIES = "replies"
    BOTH = "both"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where it goes; must be new or empty.")
    ] = DEFAULT_FOLDER,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="What is judged: messages of users, replies of an assistant, or both.")
    ] = Purpose.MESSAGES,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="The model that will score: a folder, or `builtin`.")
    ] = BUILTIN,
) -> None:
    """Write a first policy folder: settings, signals, one policy with tests, a list and texts, all explained."""
    from moderator.policy.authoring.model_outputs import read_outputs
    from moderator.policy.starting.first_folder import first_folder

    _refuse_what_is_there(folder)
    first = first_folder(purpose.value, read_outputs(model).objectives)
    _write(folder, first.files)
    sys.stdout.write("".join(f"{line}\n" for line in _lines(folder, model, first.files, first.lacking)))


def _refuse_what_is_there(folder: Path) -> None:
    try:
        is_free = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise ConfigurationError(f"cannot write into `{folder}`: {reason_of(error)}") from error
    if not is_free:
        raise ConfigurationError(f"`{folder}` is not empty: name a new folder; nothing was changed")


def _write(folder: Path, files: "Mapping[str, str]") -> None:
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ConfigurationError(f"cannot write into `{folder}`: {reason_of(error)}") from error


def _lines(folder: Path, model: str, files: "Mapping[str, str]", lacking: tuple[str, ...]) -> list[str]:
    from shlex import quote

    place, with_model = quote(str(folder)), "" if model == BUILTIN else f" --model {quote(model)}"
    event = """'{"text": "Win free gift cards today!", "role": "member"}'"""
    return [
        f"wrote {folder}: {', '.join(files)}",
        *(f"left out what needs `{objective}`: `{model}` does not give it" for objective in lacking),
        f"read {folder / 'house-rules.yaml'} first: it is short, and says what each line does; then",
        f"  moderator policy check {place} --strict",
        f"  moderator policy test {place}",
        f"  echo {event} | moderator policy explain --event - --policies {place}{with_model}",
    ]
