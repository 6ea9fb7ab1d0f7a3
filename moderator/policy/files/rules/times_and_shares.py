"""Times and shares of units in policy files: `starts`, `until`, `added`, `rollout`, `budget`."""

import re
from fractions import Fraction
from typing import cast, get_args

from moderator.policy.files.node_readers import read_block, read_text
from moderator.policy.language.ast import Rollout, RolloutUnit
from moderator.policy.language.event_time import CALENDAR_MS, parse_time_ms, with_clock
from moderator.policy.language.scale import parse_decimal
from moderator.policy.syntax.diagnostics import Diagnostics, quote
from moderator.policy.syntax.yaml_tree import Node

UNITS: tuple[RolloutUnit, ...] = get_args(RolloutUnit)

_WITHOUT_ZONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_TIME = re.compile(_WITHOUT_ZONE.pattern + r"(Z|[+-][0-9]{2}:[0-9]{2})")
_TIME_FORMS = "write such as 2026-10-01, or 2026-10-01T09:00:00Z"
_ROLLOUT = re.compile(rf"([0-9.]+)% of ({'|'.join(UNITS)})")
_ROLLOUT_FORMS = f"write such as 25% of users; 0.01% to 100% of {', '.join(UNITS[:-1])} or {UNITS[-1]}"
_BUDGET = re.compile(r"at most ([0-9.]+)%")
_BUDGET_FORM = "write such as at most 1.5%"
_HUNDRED = 100


def read_time(node: Node | None, what: str, diagnostics: Diagnostics) -> int | None:
    """Read a date (00:00 UTC) or a date and time with a zone, in milliseconds since 1970."""
    text = None if node is None else read_text(node, what, diagnostics, _TIME_FORMS)
    if node is None or text is None:
        return None
    whole = with_clock(text)
    at_ms = parse_time_ms(whole) if _TIME.fullmatch(whole) else None
    if at_ms is None and _WITHOUT_ZONE.fullmatch(text) and parse_time_ms(f"{text}Z") is not None:
        hint = f"write {text}Z, or with an offset such as +02:00"
        diagnostics.error("P041", node.span, "this time has no zone", hint)
    elif at_ms is None or at_ms not in CALENDAR_MS:
        diagnostics.error("P041", node.span, f"{quote(text)} is not a time", _TIME_FORMS)
        return None
    return at_ms


def read_rollout(node: Node | None, seed: Node | None, rule_id: str, diagnostics: Diagnostics) -> Rollout | None:
    """Read `P% of UNITS`; the seed is the full rule id unless one is given."""
    own_seed = None if seed is None else read_text(seed, "rollout_seed", diagnostics)
    if node is None:
        if seed is not None:
            diagnostics.error(
                "P043", seed.span, "there is a rollout_seed and no rollout", "remove it, or add a rollout"
            )
        return None
    text = read_text(node, "rollout", diagnostics, _ROLLOUT_FORMS)
    match = None if text is None else _ROLLOUT.fullmatch(text)
    percent = parse_decimal(match[1]) if match else None
    if text is None:
        return None
    if match is None or percent is None or not 0 < percent <= _HUNDRED or _HUNDRED % percent.denominator:
        diagnostics.error("P043", node.span, f"rollout cannot be {quote(text)}", _ROLLOUT_FORMS)
        return None
    return Rollout(percent, cast("RolloutUnit", match[2]), own_seed or rule_id, own_seed is not None)


def read_budget(node: Node | None, diagnostics: Diagnostics) -> Fraction | None:
    """Read `{flag_share: at most P%}` as a percentage."""
    form = "write such as {flag_share: at most 1.5%}"
    block = None if node is None else read_block(node, "budget", ("flag_share",), diagnostics, form)
    value = None if block is None else block.need("flag_share", "flag_share: at most 1.5%")
    text = None if value is None else read_text(value, "flag_share", diagnostics, _BUDGET_FORM)
    if value is None or text is None:
        return None
    match = _BUDGET.fullmatch(text)
    percent = parse_decimal(match[1]) if match else None
    if percent is None or not 0 < percent <= _HUNDRED:
        diagnostics.error("P045", value.span, f"flag_share cannot be {quote(text)}", _BUDGET_FORM)
        return None
    return percent
