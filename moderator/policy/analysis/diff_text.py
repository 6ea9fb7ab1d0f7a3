"""What differs between two folders, in lines for people and in values for programs."""

from collections.abc import Iterator

from moderator.policy.analysis.diff import Change

NO_CLAIM = "no claim: count what changes with `moderator policy backtest`"


def change_lines(change: Change) -> Iterator[str]:
    """Write one change; all lines but the first are indented by two spaces."""
    claim = f", {change.claim}" if change.claim else ""
    if len(change.lines) == 1 and change.kind == "changed":
        yield f"{change.what}: {change.lines[0]}{claim}"
    else:
        kind = "" if change.kind == "changed" else f"{change.kind} "
        yield f"{kind}{change.what}{claim}"
        yield from (f"  {line}" for line in change.lines)
    if change.warning:
        yield f"  warning: {change.warning}"


def change_record(change: Change) -> dict[str, object]:
    """Give one change as programs read it."""
    return {
        "kind": change.kind,
        "what": change.what,
        "lines": list(change.lines),
        "claim": change.claim,
        "warning": change.warning or None,
    }
