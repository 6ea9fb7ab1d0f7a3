"""`moderator policy diff`: what two folders mean differently, and which way verdicts can move."""

import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.policy.output import WIDTH, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderator.policy import PolicySet
    from moderator.policy.analysis.diff import Change, PolicyDiff
    from moderator.policy.authoring.counterexamples import Counterexample, Search, Side


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A policy folder.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Compare two policy folders by what they mean, not by how they are written."""
    from moderator.policy import load_policies
    from moderator.policy.analysis.diff import diff as compare

    before, after = load_policies(old), load_policies(new)
    found = compare(before, after)
    if as_json:
        write_json(_record(before, after, found))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(before, after, found))


def _lines(before: "PolicySet", after: "PolicySet", found: "PolicyDiff") -> "Iterator[str]":
    if not found.changes:
        yield "no change in meaning"
        if before.snapshot != after.snapshot:
            yield "the snapshot differs, because it covers how conditions are written"
        return
    for change in found.changes:
        yield from _change_lines(change)
    if before.snapshot == after.snapshot:
        yield "no change in what is decided"
        return
    verdicts = found.claim or "no claim: count what changes with `moderator policy backtest`"
    yield f"all verdicts: {verdicts}"


def _change_lines(change: "Change") -> "Iterator[str]":
    claim = f", {change.claim}" if change.claim else ""
    kind = "" if change.kind == "changed" else f"{change.kind} "
    if len(change.lines) == 1 and change.kind == "changed":
        yield _filled(f"{change.what}: {change.lines[0]}{claim}")
    else:
        yield _filled(f"{kind}{change.what}{claim}")
        yield from (_filled(line, "  ") for line in change.lines)
    if change.warning:
        yield _filled(f"warning: {change.warning}", "  ")
    yield from (_filled(line, "  ") for line in _counterexample_lines(_search(change)))


def _search(change: "Change") -> "Search | None":
    """Search for events that show both directions, where none is ruled out."""
    if change.claim is not None or change.versions is None:
        return None
    from moderator.policy.authoring.counterexamples import counterexamples

    return counterexamples(*change.versions)


def _counterexample_lines(search: "Search | None") -> "Iterator[str]":
    if search is None:
        return
    sides: tuple[Side, ...] = ("B", "A")
    for side in sides:
        found = search.by(side)
        none = f"none found in {search.tries:,} tries" if search.tries else "no model that both can be tried with"
        yield f"only {side} flags: {_event_text(found) if found else none}"


def _event_text(found: "Counterexample") -> str:
    from moderator.policy.syntax.diagnostics import quote

    parts = [f"{name} {quote(value)}" for name, value in found.event.items()]
    parts += [f"{name} missing" if score is None else f"{name} {score:.6f}" for name, score in found.signals.items()]
    return ", ".join(parts)


def _filled(text: str, indent: str = "") -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _record(before: "PolicySet", after: "PolicySet", found: "PolicyDiff") -> dict[str, object]:
    return {
        "old": before.snapshot,
        "new": after.snapshot,
        "same_meaning": before.snapshot == after.snapshot or not found.changes,
        "claim": found.claim,
        "changes": [
            {
                "kind": change.kind,
                "what": change.what,
                "lines": list(change.lines),
                "claim": change.claim,
                "warning": change.warning or None,
                "counterexamples": _counterexample_records(_search(change)),
            }
            for change in found.changes
        ],
    }


def _counterexample_records(search: "Search | None") -> "list[dict[str, object]]":
    return [
        {
            "flagged_by": found.flagged_by,
            "event": dict(found.event),
            "signals": dict(found.signals),
        }
        for found in (search.found if search else ())
    ]
