"""How the action of a rule changes: what it was, what it is, and whether that is stronger."""

from collections.abc import Iterator

from moderator.policy.analysis.covering import Placed
from moderator.policy.syntax.diagnostics import printable

_NONE = "none"


def action_lines(was: Placed, now: Placed) -> Iterator[str]:
    """Give a line such as `action hold -> remove, acts stronger`; nothing where the action stays."""
    before, after = _action(was), _action(now)
    if before != after:
        effect = _effect(before, after, now.policies.settings.actions, was.policies.settings.actions)
        yield printable(f"action {before or _NONE} -> {after or _NONE}, {effect}")


def _action(placed: Placed) -> str | None:
    return placed.rule.flag.action if placed.rule.flag else None


def _effect(before: str | None, after: str | None, *orders: tuple[str, ...]) -> str:
    """Compare by the first order that knows both; no action is milder than any."""
    for order in orders:
        if {before, after} <= {None, *order}:
            ranks = [-1 if action is None else order.index(action) for action in (before, after)]
            return "acts stronger" if ranks[0] < ranks[1] else "acts weaker"
    return "acts otherwise"
