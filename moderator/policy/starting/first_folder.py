"""The files of a first policy folder, for messages of users, replies of an assistant, or both."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

Purpose = Literal["messages", "replies", "both"]

_TEMPLATES: Final = Path(__file__).with_name("templates")
_OBJECTIVES: Final[Mapping[str, str]] = {"safety": "beavertails-is_safe", "helpfulness": "helpsteer-helpfulness"}
_NAMED_OTHERS: Final = 30


class FirstFolder(NamedTuple):
    """A folder to be written.

    Attributes:
        files: name in the folder, such as `lists/example.txt` -> text.
        lacking: objectives that a fuller folder would use and the model does not have.
    """

    files: Mapping[str, str]
    lacking: tuple[str, ...]


def first_folder(purpose: Purpose, objectives: Sequence[str]) -> FirstFolder:
    """Give the files of a first folder for a model of these objectives; they pass every check and test."""
    messages, replies = purpose != "replies", purpose != "messages"
    wanted = {name: objective for name, objective in _OBJECTIVES.items() if name == "safety" or replies}
    signals = [name for name, objective in wanted.items() if objective in objectives]
    speakers = [*(["user"] if messages else []), *(["assistant"] if replies else [])]
    good = {"safety": "0.95", "helpfulness": "3.0"}
    values = {
        "messages": messages,
        "replies": replies,
        **{name: name in signals for name in _OBJECTIVES},
        "others": sorted(set(objectives) - {_OBJECTIVES[name] for name in signals})[:_NAMED_OTHERS],
        "scored": bool(signals),
        "rules": _rules(messages=messages, replies=replies, signals=signals),
        "speakers": speakers[0] if len(speakers) == 1 else f"[{', '.join(speakers)}]",
        "each_speaker": speakers,
        "good_help": ", helpfulness: 3.0" if "helpfulness" in signals else "",
        "good_scores": f"{{{', '.join(f'{name}: {good[name]}' for name in signals)}}}",
    }
    lacking = tuple(objective for name, objective in wanted.items() if name not in signals)
    templates = _environment()
    return FirstFolder({name: templates.get_template(name).render(values) for name in _names(purpose)}, lacking)


def _rules(*, messages: bool, replies: bool, signals: Sequence[str]) -> list[str]:
    """Give the rules' names in their order, as the template of the policy has them."""
    is_there = {
        "unsafe-message": messages and "safety" in signals,
        "unsafe-reply": replies and "safety" in signals,
        "over-refusal": replies and {"safety", "helpfulness"} <= set(signals),
        "listed-words": True,
        "new-account": messages,
    }
    return [name for name, there in is_there.items() if there]


def _names(purpose: Purpose) -> list[str]:
    names = ["settings.yaml", "signals.yaml", "house-rules.yaml", "house-rules.test.yaml", "lists/example.txt"]
    return names if purpose == "replies" else [*names, "texts.yaml"]


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=False,  # noqa: S701 - YAML and plain text
        keep_trailing_newline=True,
        loader=FileSystemLoader(_TEMPLATES),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
