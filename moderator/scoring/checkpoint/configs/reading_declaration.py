"""What a checkpoint's `config.json` says about how events are read to it: `moderator_reading`."""

from collections.abc import Mapping
from typing import Any, Final

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.configs.fields import whole
from moderator.scoring.rendering.event_reader import DEFAULT_LIMITS, ReadingLimits
from moderator.scoring.rendering.limits import input_tokens

_KEY: Final = "moderator_reading"
_LEAST_PASSAGE_TOKENS: Final = 16
_MOST_INPUTS: Final = 8
"""The passages of one message may have this many times the tokens of the model's input."""


def declared_limits(fields: Mapping[str, Any], positions: int, where: str) -> ReadingLimits:
    """Read how the checkpoint wants events read; what it does not declare has its default.

    Args:
        fields: of `config.json`.
        positions: length in tokens of the longest text that the network has positions for.
        where: names the file in errors.

    Raises:
        ConfigurationError: a key is unknown, or a number is wrong; the text names it.
    """
    declared = _block(fields, _KEY, ("passage_tokens", "max_passages", "context_turns"), where)
    turns = _block(declared, "context_turns", ("message", "reply"), where)
    passage_tokens = _optional(declared, "passage_tokens", _LEAST_PASSAGE_TOKENS, where)
    max_passages = whole(declared, "max_passages", where, least=1, default=DEFAULT_LIMITS.max_passages)
    limit = _MOST_INPUTS * input_tokens(None, positions)
    if passage_tokens is not None and passage_tokens * max_passages > limit:
        raise ConfigurationError(
            f"{where}: `{_KEY}`: `passage_tokens` x `max_passages` is {passage_tokens * max_passages}; at most "
            f"{_MOST_INPUTS} times the input, {limit} tokens, is possible"
        )
    return ReadingLimits(
        passage_tokens,
        max_passages,
        message_turns=_optional(turns, "message", 0, where),
        reply_turns=_optional(turns, "reply", 0, where),
    )


def declaration(limits: ReadingLimits) -> dict[str, Any]:
    """Give the fields of `config.json` from which `declared_limits` reads equal limits; none where all are defaults."""
    turns = {"message": limits.message_turns, "reply": limits.reply_turns}
    declared = {
        "passage_tokens": limits.passage_tokens,
        "max_passages": limits.max_passages if limits.max_passages != DEFAULT_LIMITS.max_passages else None,
        "context_turns": {name: count for name, count in turns.items() if count is not None} or None,
    }
    known = {name: value for name, value in declared.items() if value is not None}
    return {_KEY: known} if known else {}


def _block(fields: Mapping[str, Any], key: str, known: tuple[str, ...], where: str) -> Mapping[str, Any]:
    block = fields.get(key, {})
    if not isinstance(block, dict):
        raise ConfigurationError(f"{where}: `{key}` must be an object of {', '.join(known)}")
    unknown = sorted(block.keys() - set(known))
    if unknown:
        raise ConfigurationError(f"{where}: `{key}` has no `{unknown[0]}`; it may have {', '.join(known)}")
    return block


def _optional(fields: Mapping[str, Any], name: str, least: int, where: str) -> int | None:
    return whole(fields, name, where, least=least) if name in fields else None
