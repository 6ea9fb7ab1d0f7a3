"""The report of a comparison: one JSON object, or a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moderator.counted import counted
from moderator.policy.syntax.diagnostics import printable
from moderator.replays.comparing import Changes
from moderator.replays.recorded import RecordedOutcomes


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What changed.

    Attributes:
        rules: of the policies that decide now.
        model: the fingerprint of the model that scores now; None: recorded scores were judged.
        not_replayable: recorded decisions that could not be judged again, by cause; None where events are scored again.
        is_whole: false: an earlier process of this run wrote a part of the range, which is not compared.
    """

    replay_id: str
    changes: Changes
    recorded: RecordedOutcomes
    rules: frozenset[str]
    snapshot: str
    model: str | None
    not_replayable: Mapping[str, int] | None = None
    is_whole: bool = True

    @property
    def flips_share(self) -> float:
        """Events whose verdict changed, as a share of those that were compared."""
        return self.changes.flips / self.changes.compared if self.changes.compared else 0.0

    @property
    def record(self) -> dict[str, Any]:
        """The answer to a program."""
        changes = self.changes
        record = {
            "replay_id": self.replay_id,
            "whole": self.is_whole,
            "events": changes.compared + changes.without_decision,
            "compared": changes.compared,
            "without_decision": changes.without_decision,
            "repeated": self.recorded.repeated,
            "same_verdict": changes.compared - changes.flips,
            "flips": {
                "allow_to_flag": changes.verdicts["allow", "flag"],
                "flag_to_allow": changes.verdicts["flag", "allow"],
            },
            "rules": list(self._rules()),
            "scores": list(self._scores()),
            "examples": [
                {
                    "event_id": each.event_id,
                    "place": "/".join(map(str, each.place)),
                    "was": each.was,
                    "now": each.now,
                    "rules": list(each.rules),
                }
                for each in changes.examples
            ],
            "recorded": {"snapshots": sorted(self.recorded.snapshots), "models": sorted(self.recorded.models)},
            "now": {"snapshot": self.snapshot, "model": self.model},
        }
        if self.not_replayable is not None:
            record["not_replayable"] = dict(sorted(self.not_replayable.items()))
        return record

    def _rules(self) -> Iterator[dict[str, Any]]:
        """Give each rule that matches differently, or that one side alone knows."""
        only = dict.fromkeys(self.recorded.rules - self.rules, "recorded")
        if self.recorded.rules:  # else nothing was recorded that could know any
            only |= dict.fromkeys(self.rules - self.recorded.rules, "now")
        newly, no_longer = self.changes.newly, self.changes.no_longer
        for rule in sorted({*newly, *no_longer, *only}):
            side = {"only": only[rule]} if rule in only else {}
            yield {"rule": rule, "newly_matched": newly[rule], "no_longer_matched": no_longer[rule], **side}

    def _scores(self) -> Iterator[dict[str, Any]]:
        for signal, shifts in self.changes.shifts.items():
            if shifts.events:
                yield {
                    "signal": signal,
                    "mean_shift": round(shifts.total / shifts.events, 6),
                    "largest_shift": round(shifts.largest, 6),
                    "within_0.02_share": round(shifts.near / shifts.events, 4),
                }


def text_of(report: ChangeReport) -> str:
    """Give the report for people."""
    return "\n".join(map(printable, _lines(report.record, report.flips_share))) + "\n"


def _lines(record: Mapping[str, Any], flips_share: float) -> Iterator[str]:
    flips = record["flips"]
    missing = record["without_decision"]
    if not record["whole"]:
        yield "of what was left of the run alone; `--compare` without `--to-topic` compares the whole range"
    yield f"{counted(record['events'], 'event')}, {record['compared']:,} compared, {missing:,} without decision"
    if record["repeated"]:
        repeated = counted(record["repeated"], "recorded decision was", "recorded decisions were")
        yield f"{repeated} followed by another one of the same event"
    for cause, events in record.get("not_replayable", {}).items():
        yield f"{events:,} not replayable: {cause}"
    yield (
        f"{record['same_verdict']:,} have the same verdict; {flips['allow_to_flag']:,} from allow to flag, "
        f"{flips['flag_to_allow']:,} from flag to allow: {flips_share:.2%} changed"
    )
    yield from _table("rule", ("newly matched", "no longer"), record["rules"], ("newly_matched", "no_longer_matched"))
    yield from _table(
        "signal",
        ("mean shift", "largest", "within 0.02"),
        record["scores"],
        ("mean_shift", "largest_shift", "within_0.02_share"),
    )
    for example in record["examples"]:
        rules = f", {', '.join(example['rules'])}" if example["rules"] else ""
        yield f"{example['place']}  {example['event_id']}: was {example['was']}, now {example['now']}{rules}"


def _table(name: str, heads: tuple[str, ...], rows: list[dict[str, Any]], fields: tuple[str, ...]) -> Iterator[str]:
    if not rows:
        return
    width = max(len(name), *(len(row[name]) for row in rows))
    yield "  ".join([f"{name:<{width}}", *(f"{head:>13}" for head in heads)])
    for row in rows:
        only = f"  only {row['only']}" if "only" in row else ""
        yield "  ".join([f"{row[name]:<{width}}", *(f"{row[each]:>13,}" for each in fields)]) + only
