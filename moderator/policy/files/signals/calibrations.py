"""`calibration/NAME.json` -> `Calibration`; the format is written down in `moderator/calibration/calibrate.py`."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn, get_args

import orjson

from moderator.policy.language.ast import Calibration, DerivedQuantiles, RewardPick
from moderator.policy.language.scale import MAX_REWARD, micro_from
from moderator.policy.syntax.diagnostics import Diagnostics, quote

QUANTILES = 1_001
MIN_EVENTS = 1_000

_FORMAT = 1


def read_calibration(file: str, content: bytes, diagnostics: Diagnostics) -> Calibration | None:
    """Read one calibration file; None when it cannot be used, which is then reported."""
    try:
        return _calibration(file, content)
    except orjson.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} on line {error.lineno}"
    except _UnusableError as error:
        problem = str(error)
    diagnostics.error("P040", file, problem, "write it again with `moderator model calibrate`")
    return None


class _UnusableError(Exception):
    pass


@lru_cache(maxsize=8)  # thousands of numbers, which stay the same through many edits of the policies
def _calibration(file: str, content: bytes) -> Calibration:
    record = _mapping(orjson.loads(content), "the file")
    if record.get("format") != _FORMAT:
        _refuse(f"`format` is not {_FORMAT}, the one that this version knows")
    model = _mapping(record.get("model"), "`model`")
    return Calibration(
        file=file,
        hash=f"sha256:{hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()}",
        model=_text(model, "name", "model."),
        fingerprint=_text(model, "fingerprint", "model."),
        dtype=_text(model, "dtype", "model."),
        framing=_text(record, "framing"),
        event_count=_event_count(record.get("events")),
        quantiles={
            objective: _quantiles(values, f"`quantiles` of {quote(objective)}")
            for objective, values in _mapping(record.get("quantiles"), "`quantiles`").items()
        },
        derived={
            signal: _derived(definition, f"`derived` of {quote(signal)}")
            for signal, definition in _mapping(record.get("derived", {}), "`derived`").items()
        },
        noise_micro=_noise(_mapping(record.get("noise", {}), "`noise`")),
    )


def _refuse(problem: str) -> NoReturn:
    raise _UnusableError(problem)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} must be an object")
    return value


def _text(record: Mapping[str, Any], key: str, within: str = "") -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        _refuse(f"`{within}{key}` must be text")
    return value


def _event_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < MIN_EVENTS:
        _refuse(f"`events` must be a whole number of at least {MIN_EVENTS:,}")
    return value


def _quantiles(values: object, what: str) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) != QUANTILES:
        _refuse(f"{what} must be a list of {QUANTILES:,} numbers")
    micro = tuple(_micro(value, what) for value in values)
    if any(later < earlier for earlier, later in pairwise(micro)):
        _refuse(f"{what} must rise from first to last")
    return micro


def _derived(value: object, what: str) -> DerivedQuantiles:
    definition = _mapping(value, what)
    picks: tuple[RewardPick, ...] = get_args(RewardPick)
    for pick in picks:
        objectives = definition.get(f"{pick}_of")
        if isinstance(objectives, list) and all(isinstance(objective, str) for objective in objectives):
            return DerivedQuantiles(pick, frozenset(objectives), _quantiles(definition.get("quantiles"), what))
    _refuse(f"{what} must have `least_of` or `greatest_of`, a list of objectives")


def _noise(noise: Mapping[str, Any]) -> dict[str, int]:
    micro = {
        objective: _micro(value, f"`noise` of {quote(objective)}")
        for objective, value in noise.items()
        if value is not None
    }
    negative = next((objective for objective, value in micro.items() if value < 0), None)
    if negative is not None:
        _refuse(f"`noise` of {quote(negative)} must not be below 0")
    return micro


def _micro(value: object, what: str) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        _refuse(f"{what} holds something that is not a number")
    if not -MAX_REWARD <= value <= MAX_REWARD:
        _refuse(f"{what} holds a number beyond {MAX_REWARD:,}")
    return micro_from(value)
