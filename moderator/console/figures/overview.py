"""The figures of the page Overview, counted over what is held."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from moderator.console.console import Console
from moderator.console.figures.charts import RuleFlags, Share
from moderator.console.recent.decision import RecentDecision
from moderator.console.recent.rates import Minute
from moderator.console.sources.state import LagState

_QUANTILES = (0.50, 0.95, 0.99)


class SnapshotSeen(NamedTuple):
    """Policies that decided."""

    snapshot: str
    events: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows.

    Attributes:
        per_second: decisions, the mean of the last minute before `as_of_ms`.
        latency_ms: from the broker's timestamp to the decision, p50, p95 and p99; None where no event has a timestamp.
    """

    as_of_ms: int
    per_second: float
    minutes: Sequence[Minute]
    verdicts: Sequence[Share]
    statuses: Sequence[Share]
    rules: Sequence[RuleFlags]
    dead_letters: Sequence[Share]
    latency_ms: tuple[int, int, int] | None
    lag: LagState | None
    snapshots: Sequence[SnapshotSeen]
    folder_snapshot: str | None
    held: int
    since_ms: int | None


def overview_of(console: Console) -> Overview:
    """Count everything that is held."""
    decisions, letters = console.recent.decisions, console.recent.dead_letters
    as_of_ms = console.as_of_ms
    verdicts = Counter(each.verdict for each in decisions)
    statuses = Counter(each.status for each in decisions)
    return Overview(
        as_of_ms=as_of_ms,
        per_second=console.recent.rates.per_second(as_of_ms),
        minutes=console.recent.rates.minutes(as_of_ms),
        verdicts=[
            Share("flag", verdicts["flag"]),
            Share("allow", verdicts["allow"]),
            Share("dead_letter", len(letters)),
        ],
        statuses=[Share(name, statuses[name]) for name in ("scored", "degraded", "unscored")],
        rules=_rules(decisions),
        dead_letters=[Share(*each) for each in Counter(each.reason for each in letters).most_common()],
        latency_ms=_latency(decisions),
        lag=console.source.lag,
        snapshots=snapshots_of(decisions),
        folder_snapshot=_folder_snapshot(console),
        held=len(decisions),
        since_ms=decisions[0].decided_ms if decisions else None,
    )


def _rules(decisions: Sequence[RecentDecision]) -> list[RuleFlags]:
    counts = Counter(rule for each in decisions for rule in each.rules)
    flagging = {rule for rule, hit in counts if hit != "tag"}
    found = [RuleFlags(name, counts[name, "live"], counts[name, "shadow"]) for name in flagging]
    return sorted(found, key=lambda each: (-each.live, -each.shadow, each.rule))


def _latency(decisions: Sequence[RecentDecision]) -> tuple[int, int, int] | None:
    taken = sorted(each.decided_ms - each.timestamp_ms for each in decisions if each.timestamp_ms is not None)
    if not taken:
        return None
    median, high, highest = (taken[ceil(quantile * len(taken)) - 1] for quantile in _QUANTILES)
    return median, high, highest


def snapshots_of(decisions: Sequence[RecentDecision]) -> list[SnapshotSeen]:
    """Give every snapshot that decided something that is held, the latest first."""
    counts = Counter(each.snapshot for each in decisions)
    last_ms = {each.snapshot: each.decided_ms for each in decisions}
    found = [SnapshotSeen(snapshot, count, last_ms[snapshot]) for snapshot, count in counts.items()]
    return sorted(found, key=lambda each: -each.last_ms)


def _folder_snapshot(console: Console) -> str | None:
    report = console.folder.report
    return report.policies.snapshot if report and report.policies else None
