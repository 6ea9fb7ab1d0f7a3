"""What the pages Overview, Policies and Decisions show, for programs."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from moderator.console.console import Console, GivenConsole
from moderator.console.figures.overview import overview_of, snapshots_of
from moderator.console.figures.policies import folder_figures, replica_record, rule_figures, rule_record, status_record
from moderator.console.figures.precision import precision_by_rule, share_record
from moderator.console.recent.dead_letter import RecentDeadLetter
from moderator.console.recent.decision import RecentDecision
from moderator.console.recent.filters import Filters, MalformedFilterError, listing
from moderator.console.sources.state import LagState
from moderator.events import iso_time
from moderator.http.refusals import Refusal

_LIMIT: Final = 50
_MOST: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,9}")

router = APIRouter()


@router.get("/api/overview")
def overview(console: GivenConsole) -> Response:
    """Give the figures of the page Overview."""
    figures, state = overview_of(console), console.source.state
    latency = None if figures.latency_ms is None else dict(zip(("p50", "p95", "p99"), figures.latency_ms, strict=True))
    return _json(
        {
            "as_of": _time(figures.as_of_ms),
            "source": {"state": state.state, "detail": state.detail or None, "since": _time(state.since_ms)},
            "held": figures.held,
            "since": _time(figures.since_ms),
            "read": console.recent.read,
            "invalid": console.recent.invalid,
            "per_second": figures.per_second,
            "minutes": [
                {
                    "start": _time(each.start_ms),
                    "flag": each.flag,
                    "allow": each.allow,
                    "dead_letter": each.dead_letter,
                }
                for each in figures.minutes
            ],
            "verdicts": {each.name: each.events for each in figures.verdicts},
            "statuses": {each.name: each.events for each in figures.statuses},
            "rules": [each._asdict() for each in figures.rules],
            "dead_letters": {each.name: each.events for each in figures.dead_letters},
            "latency_ms": latency,
            "lag": None if figures.lag is None else _lag(figures.lag),
            "snapshots": _snapshots(console),
        }
    )


@router.get("/api/policies")
def policies(console: GivenConsole) -> Response:
    """Give the figures of the page Policies; null until the folder was read."""
    figures, rules = folder_figures(console), rule_figures(console)
    precision = precision_by_rule(console, rules)
    return _json(
        {
            "state": figures.state if figures else None,
            "why": figures.why if figures else None,
            "folder_status": status_record(console),
            "replicas": [replica_record(word) for word in console.replicas.words],
            "snapshots": _snapshots(console),
            "rules": [{**rule_record(each), "precision": share_record(precision[each.rule.id])} for each in rules],
            "missed": share_record(console.desk.book.missed()),
        }
    )


@router.get("/api/decisions")
def decisions(request: Request, console: GivenConsole) -> Response:
    """Give the newest decisions that fit the page's filters, 50 or `limit` of them, and where the next ones begin."""
    try:
        filters = Filters.parse(request.query_params)
    except MalformedFilterError as error:
        raise Refusal(400, "bad_request", str(error), param=error.name) from None
    held = console.recent.decisions
    page = listing(filters, held, console.recent.dead_letters).page(_limit(request.query_params))
    return _json(
        {
            "decisions": [_record(each) for each in page.items],
            "next": page.next,
            "held": len(held),
            "since": _time(held[0].decided_ms if held else None),
        }
    )


@router.get("/api/decisions/{decision_id:path}")
def decision(decision_id: str, console: GivenConsole) -> Response:
    """Give one decision as it was recorded."""
    found = console.recent.find(decision_id)
    if found is None:
        raise Refusal(404, "not_held", "this decision is not held", param="decision_id")
    return Response(found.value, media_type="application/json")


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit") or str(_LIMIT)
    if not (_NUMBER.fullmatch(text) and 1 <= int(text) <= _MOST):
        raise Refusal(400, "bad_request", f"should be a whole number from 1 to {_MOST}", param="limit")
    return int(text)


def _record(item: RecentDecision | RecentDeadLetter) -> object:
    if isinstance(item, RecentDecision):
        return orjson.Fragment(item.value)
    return {
        "verdict": "dead_letter",
        "at": _time(item.at_ms),
        "reason": item.reason,
        "error": item.error,
        "topic": item.topic,
        "partition": item.partition,
        "offset": item.offset,
    }


def _lag(lag: LagState) -> dict[str, Any]:
    partitions = [{"partition": partition, "lag": events} for partition, events in lag.partitions.items()]
    return {"partitions": partitions, "problem": lag.problem or None}


def _snapshots(console: Console) -> list[dict[str, Any]]:
    report = console.folder.report
    ours = report.policies.snapshot if report and report.policies else None
    return [
        {
            "snapshot": each.snapshot,
            "count": each.events,
            "last": _time(each.last_ms),
            "is_folder": each.snapshot == ours,
        }
        for each in snapshots_of(console.recent.decisions)
    ]


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_time(at_ms / 1_000)


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
