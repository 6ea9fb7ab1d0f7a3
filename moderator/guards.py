"""Guards that answer with one token: what they may answer, by their chat template or by a file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from moderator.errors import ConfigurationError, reason_of

_KEYS: Final = ("format", "verdicts", "answer_prefix", "template")
_FORMAT: Final = 1
_LEAST_VERDICTS: Final = 2
_CATEGORIES: Final = "BEGIN UNSAFE CONTENT CATEGORIES"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a guard may answer, and how it is asked.

    Attributes:
        answers: by objective, at least two; the first token of each after the prefix decides.
        answer_prefix: written after the prompt, before the answer; left out where the prompt ends with it.
        template: further variables for the chat template.
        digest: of the file that says so, hex; empty for a guard that is known by its template.
    """

    answers: Mapping[str, str]
    answer_prefix: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the answers, in their order."""
        return tuple(self.answers)


_LLAMA_GUARD: Final = Verdicts({"unsafe": "unsafe", "safe": "safe"}, "\n\n")
_QWEN_GUARD: Final = Verdicts(
    {"unsafe": " Unsafe", "controversial": " Controversial", "safe": " Safe"}, answer_prefix="Safety:"
)
_KNOWN: Final = (
    ((_CATEGORIES, "'safe' or 'unsafe'"), _LLAMA_GUARD),
    ((_CATEGORIES, "Controversial"), _QWEN_GUARD),
)
"""What a chat template holds -> which guard it is: Llama Guard 3, Qwen3Guard-Gen."""


def is_generator(config: Mapping[str, object]) -> bool:
    """Tell whether a `config.json` is that of a network that writes text."""
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
    for signs, verdicts in _KNOWN:
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


def read_verdicts(path: Path) -> Verdicts:
    """Read a file of verdicts: YAML with `format: 1`, `verdicts`, and perhaps `answer_prefix` and `template`.

    Raises:
        ConfigurationError: it cannot be read, or is wrong; the text names line and key.
    """
    try:
        content = path.read_bytes()
        fields = YAML(typ="rt", pure=True).load(content)
    except OSError as error:
        raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{line}: not YAML") from error
    if not isinstance(fields, CommentedMap):
        raise ConfigurationError(f"{path}: must hold {', '.join(_KEYS)}")
    _check(fields, path)
    return Verdicts(
        {str(name): str(answer) for name, answer in fields["verdicts"].items()},
        fields.get("answer_prefix", ""),
        json.loads(json.dumps(fields.get("template", {}))),
        hashlib.sha256(content).hexdigest(),
    )


def _check(fields: CommentedMap, path: Path) -> None:
    for key in fields:
        if key not in _KEYS:
            raise _wrong(fields, path, key, f"is not known; there are {', '.join(_KEYS)}")
    if fields.get("format") != _FORMAT:
        raise _wrong(fields, path, "format", f"must be {_FORMAT}")
    verdicts = fields.get("verdicts")
    if not isinstance(verdicts, CommentedMap) or len(verdicts) < _LEAST_VERDICTS:
        raise _wrong(fields, path, "verdicts", f"must give at least {_LEAST_VERDICTS} objectives an answer each")
    for name, answer in verdicts.items():
        if not isinstance(name, str) or not isinstance(answer, str) or not answer.strip():
            raise _wrong(verdicts, path, name, "must be a name and the text of an answer")
    if not isinstance(fields.get("answer_prefix", ""), str):
        raise _wrong(fields, path, "answer_prefix", "must be text")
    template = fields.get("template", {})
    if not isinstance(template, CommentedMap | dict) or not all(isinstance(name, str) for name in template):
        raise _wrong(fields, path, "template", "must hold variables by name")
    try:
        json.dumps(template)
    except (TypeError, ValueError):
        raise _wrong(fields, path, "template", "must hold texts, numbers, lists and maps") from None


def _wrong(fields: CommentedMap, path: Path, key: object, problem: str) -> ConfigurationError:
    line = f":{fields.lc.key(key)[0] + 1}" if key in fields else ""
    return ConfigurationError(f"{path}{line}: `{key}` {problem}")
