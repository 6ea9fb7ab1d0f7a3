"""How the number of a text signal can differ between two folders, and whether a rule fires more when it rises."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal

from moderator.counted import counted
from moderator.policy.language.ast import Condition, Rule, Signal, leaves
from moderator.policy.language.scale import MILLION
from moderator.policy.language.text_source import IN_PLACE, TextSource
from moderator.policy.syntax.diagnostics import printable
from moderator.policy.text.entries import meanings_of

Relation = Literal["same", "higher", "lower", "any"]
"""Of the second folder's number to the first's, for one text: never lower, never higher, or nothing is known."""


def relation(was: TextSource, now: TextSource) -> Relation:
    """Compare two definitions of a signal."""
    if _way_of(was) != _way_of(now):
        return "any"
    if was.entries is None or now.entries is None or was.entries.digest == now.entries.digest:
        return "same" if (was.entries is None) == (now.entries is None) else "any"
    before, after = meanings_of(was), meanings_of(now)
    if before <= after:
        return "higher"
    return "lower" if after <= before else "any"


def may_read(was: TextSource, now: TextSource, before: int, after: int) -> bool:
    """Whether one text can have these two numbers, in whole millionths, by two definitions of a signal."""
    moves = relation(was, now)
    if moves == "same" or was.entries is None or now.entries is None:
        return moves != "same" or before == after
    if was.counts_places or _way_of(was) != _way_of(now):
        return not (moves == "higher" and after < before) and not (moves == "lower" and after > before)
    entries_before, entries_after = meanings_of(was), meanings_of(now)
    added, removed = len(entries_after - entries_before), len(entries_before - entries_after)
    return -removed * MILLION <= after - before <= added * MILLION


def list_lines(old: Iterable[Signal], new: Iterable[Signal]) -> Iterator[tuple[str, str]]:
    """Give each list that differs, and what that does to the signals that read it.

    Such as `lists/scam.txt` and `3 entries added, 1 removed: scam-words can be higher or lower`.
    """
    before = {signal.name: signal.text for signal in old if signal.text is not None}
    after = {signal.name: signal.text for signal in new if signal.text is not None}
    lines: dict[tuple[str, str], list[str]] = {}
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name].entries, after[name].entries
        if was is None or now is None or was.digest == now.digest:
            continue
        place = now.name if now.name != IN_PLACE else f"the list of {name}"
        change = _changed(meanings_of(before[name]), meanings_of(after[name]))
        lines.setdefault((place, change), []).append(f"{name} {_MOVES[relation(before[name], after[name])]}")
    yield from ((printable(place), f"{change}: {', '.join(moves)}") for (place, change), moves in lines.items())


_MOVES: Mapping[Relation, str] = {
    "same": "stays",
    "higher": "can be higher",
    "lower": "can be lower",
    "any": "can be higher or lower",
}


def _changed(before: AbstractSet[str], after: AbstractSet[str]) -> str:
    added, removed = len(after - before), len(before - after)
    if not added:
        return f"{counted(removed, 'entry', 'entries')} removed"
    return f"{counted(added, 'entry', 'entries')} added{f', {removed:,} removed' if removed else ''}"


def _way_of(source: TextSource) -> tuple[object, ...]:
    """Give how a text is read, except for the entries."""
    return source.kind, source.of, source.match, source.compare, source.counts_places


def gains(rule: Rule, signal: str, *, falling: bool) -> bool:
    """Whether a rule that fires still fires when a text signal rises, all else as it is; or when it falls."""
    parts = ((leaves(rule.when), falling), (leaves(rule.unless), not falling))
    return all(
        _holds_towards(condition, falling=side)
        for conditions, side in parts
        for condition in conditions
        if signal in {each.name for each in condition.signal.members or (condition.signal,)}
    )


def _holds_towards(condition: Condition, *, falling: bool) -> bool:
    """Whether a comparison that holds still holds further up, or down."""
    return condition.comparison.has_limit and condition.comparison.holds_below == falling
