"""What an operator of LiteLLM sets about us: `additional_provider_specific_params`."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args

from moderator.events import SEVERITIES, Decision, Severity
from moderator.http.api.events import bad_request

Judged = Literal["last", "every"]
OnFlag = Literal["block", "replace", "watch"]
NAME: Final = "additional_provider_specific_params"
TEXTS: Final = ("tenant", "channel", "locale", "role")
_MAX_CHARACTERS: Final = 256
_REPLACEMENT: Final = "This message was removed."
Choice = TypeVar("Choice", bound=str)


class Parameters(NamedTuple):
    """The parameters, checked.

    Attributes:
        fields: what they say of each event, by field.
        block_at: flags of a lower severity pass.
        replacement: stands for a flagged text.
    """

    fields: Mapping[str, str]
    judge: Judged
    block_at: Severity
    on_flag: OnFlag
    replacement: str

    def counts(self, decision: Decision) -> bool:
        """Check whether a decision is a flag at or above `block_at`."""
        if decision["verdict"] != "flag":
            return False
        severity = decision["severity"]
        return severity is None or SEVERITIES.index(severity) >= SEVERITIES.index(self.block_at)


def read_parameters(given: Any) -> Parameters:
    """Check the parameters; those that are not ours are ignored.

    Raises:
        Refusal: `bad_request`.
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise bad_request(f"`{NAME}` should be an object", NAME)
    fields = {name: _text(given, name) for name in TEXTS if given.get(name) is not None}
    return Parameters(
        fields,
        _choice(given, "judge", get_args(Judged)),
        _choice(given, "block_at", SEVERITIES),
        _choice(given, "on_flag", get_args(OnFlag)),
        _REPLACEMENT if given.get("replacement") is None else _text(given, "replacement"),
    )


def _choice(given: Mapping[str, Any], name: str, choices: tuple[Choice, ...]) -> Choice:
    """Give the choice that is made; the first one where none is."""
    value = given.get(name)
    if value is None:
        return choices[0]
    found = next((choice for choice in choices if choice == value), None)
    if found is None:
        raise bad_request(f"`{name}` should be one of {', '.join(choices)}", f"{NAME}.{name}")
    return found


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise bad_request(f"`{name}` should be text", f"{NAME}.{name}")
    if name in TEXTS and len(value) > _MAX_CHARACTERS:
        raise bad_request(f"`{name}`: more than {_MAX_CHARACTERS} characters", f"{NAME}.{name}")
    return value
