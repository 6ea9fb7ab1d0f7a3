"""The file that `MODERATOR_MODEL__VERDICTS` names: what a guard may answer and what it is asked, in YAML."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from moderator.errors import ConfigurationError, reason_of
from moderator.guards.verdicts import Question, Verdicts

_KEYS: Final = ("format", "verdicts", "answer_prefix", "template", "questions")
_FORMAT: Final = 1
_LEAST_VERDICTS: Final = 2


def read_verdicts(path: Path) -> Verdicts:
    """Read a file: `format: 1`, `verdicts`, and perhaps `answer_prefix`, `template` and `questions`.

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
        _plain(fields.get("template", {})),
        {name: Question(_plain(variables)) for name, variables in fields.get("questions", {}).items()},
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
    _check_variables(fields, path, "template")
    if "questions" in fields:
        _check_questions(fields, path)


def _check_questions(fields: CommentedMap, path: Path) -> None:
    questions = fields["questions"]
    if not isinstance(questions, CommentedMap) or not questions:
        raise _wrong(fields, path, "questions", "must give at least one objective the variables that ask for it")
    for name in questions:
        if not isinstance(name, str) or not name:
            raise _wrong(questions, path, name, "must be the name of an objective")
        _check_variables(questions, path, name)


def _check_variables(fields: CommentedMap, path: Path, key: str) -> None:
    variables = fields.get(key, {})
    if not isinstance(variables, CommentedMap | dict) or not all(isinstance(name, str) for name in variables):
        raise _wrong(fields, path, key, "must hold variables by name")
    try:
        _plain(variables)
    except (TypeError, ValueError):
        raise _wrong(fields, path, key, "must hold texts, numbers, lists and maps") from None


def _plain(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = json.loads(json.dumps(variables))
    return plain


def _wrong(fields: CommentedMap, path: Path, key: object, problem: str) -> ConfigurationError:
    line = f":{fields.lc.key(key)[0] + 1}" if key in fields else ""
    return ConfigurationError(f"{path}{line}: `{key}` {problem}")
