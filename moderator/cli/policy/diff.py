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
    old: Annotated[Path, typer.Argument(metavar="A", help="A policy folder, the old one.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="Another one, the new one.")],
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
        sys.stdout.writelines(f"{_filled(line)}\n" for line in _lines(before, after, found))


def _lines(before: "PolicySet", after: "PolicySet", found: "PolicyDiff") -> "Iterator[str]":
    from moderator.policy.analysis.diff_text import NO_CLAIM, change_lines

    if not found.changes:
        yield "no change in meaning"
        if before.snapshot != after.snapshot:
            yield "the snapshot differs, because it covers how conditions are written"
        return
    for change in found.changes:
        yield from change_lines(change)
        yield from _counterexample_lines(_search(change))
    if before.snapshot == after.snapshot:
        yield "no change in what is decided"
        return
    yield f"all verdicts: {found.claim or NO_CLAIM}"


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
        yield f"  only {side} flags: {_event_text(found) if found else none}"


def _event_text(found: "Counterexample") -> str:
    from moderator.policy.syntax.diagnostics import quote

    parts = [f"{name} {quote(value)}" for name, value in found.event.items()]
    parts += [f"{name} missing" if score is None else f"{name} {score:.6f}" for name, score in found.signals.items()]
    return ", ".join(parts)


def _filled(line: str) -> str:
    indent = "  " if line.startswith("  ") else ""
    return fill(
        line.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _record(before: "PolicySet", after: "PolicySet", found: "PolicyDiff") -> dict[str, object]:
    from moderator.policy.analysis.diff_text import change_record

    return {
        "old": before.snapshot,
        "new": after.snapshot,
        "same_meaning": before.snapshot == after.snapshot or not found.changes,
        "claim": found.claim,
        "changes": [
            {**change_record(change), "counterexamples": _counterexample_records(_search(change))}
            for change in found.changes
        ],
    }


def _counterexample_records(search: "Search | None") -> "list[dict[str, object]]":
    return [
        {"flagged_by": found.flagged_by, "event": dict(found.event), "signals": dict(found.signals)}
        for found in (search.found if search else ())
    ]
