"""`POST /v1/decisions`: chat events in, the records that the stream would publish out."""

from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson
from starlette.requests import Request
from starlette.responses import Response

from moderator.events import ChatEvent, DeadLetter, Decision, Record
from moderator.http.api.body import JSON
from moderator.http.api.events import bad_request, batch_too_large, compact_bytes, refusal_of, too_large
from moderator.http.api.gate import Call
from moderator.http.api.intake import TOPIC, Intake, Judged, Placed
from moderator.settings import Settings
from moderator.stream.codec import ParsedEvent, read_parsed

CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
MEDIA_TYPES: Final = (JSON, CLOUD_EVENT, CLOUD_EVENTS)
_ATTRIBUTE: Final = "ce-"
SNAPSHOT_HEADER: Final = "x-moderator-snapshot"


class _Read(NamedTuple):
    """The events of a request, by place: those that can be judged, and why others cannot."""

    events: list[Placed]
    dead_letters: dict[int, DeadLetter]


async def decide_events(call: Call, intake: Intake, settings: Settings) -> Response:
    """Answer with a decision, or with one decision or error for each event of an array.

    Raises:
        Refusal: the request, or its only event, cannot be judged.
    """
    value = call.body.value
    if isinstance(value, list):
        return await _decide_all(value, call, intake, settings)
    if not isinstance(value, dict):
        raise bad_request("the body should be a chat event, or an array of them")
    event = await call.aside(lambda: _read(call, value, 0, settings, is_single=True))
    if isinstance(event, DeadLetter):
        raise refusal_of(event, event.field)
    judged = await intake.judge(call.request, [Placed(0, event)], call.deadline_s)
    decision = judged.decisions[0]
    if isinstance(decision, DeadLetter):
        raise refusal_of(decision, decision.field)
    return _answer(decision, judged)


async def _decide_all(values: list[Any], call: Call, intake: Intake, settings: Settings) -> Response:
    if len(values) > settings.http.max_batch:
        raise batch_too_large(settings.http.max_batch, "events")
    read = await call.aside(lambda: _read_all(values, call, settings))
    judged = await intake.judge(call.request, read.events, call.deadline_s)
    found = judged.decisions | read.dead_letters
    return _answer([_entry(place, found[place]) for place in range(len(values))], judged)


def _read_all(values: list[Any], call: Call, settings: Settings) -> _Read:
    read = _Read([], {})
    for place, value in enumerate(values):
        event = _read(call, value, place, settings, is_single=False)
        if isinstance(event, DeadLetter):
            read.dead_letters[place] = event
        else:
            read.events.append(Placed(place, event))
    return read


def _read(call: Call, value: Any, place: int, settings: Settings, *, is_single: bool) -> ChatEvent | DeadLetter:
    most_bytes = settings.max_event_bytes
    if call.body.size_bytes > most_bytes and compact_bytes(value) > most_bytes:
        return too_large(most_bytes)
    body = call.body
    parsed = ParsedEvent(
        value,
        lambda: body.exact if is_single else body.exact[place],
        f"{TOPIC}/{call.request_id}/{place}",
    )
    headers = _attributes(call.request) if is_single else ()
    return read_parsed(parsed, Record(TOPIC, 0, place, None, None, None, headers), settings.reading)


def _attributes(request: Request) -> list[tuple[str, bytes | None]]:
    """Give the attributes of a CloudEvent in binary mode by the names that they have in Kafka's headers."""
    return [
        (f"ce_{name.removeprefix(_ATTRIBUTE)}", unquote_to_bytes(value))
        for name, value in request.headers.items()
        if name.startswith(_ATTRIBUTE)
    ]


def _entry(place: int, found: Decision | DeadLetter) -> Any:
    if not isinstance(found, DeadLetter):
        return found
    field = f".{found.field}" if found.field else ""
    return refusal_of(found, f"[{place}]{field}").body


def _answer(content: Any, judged: Judged) -> Response:
    headers = {SNAPSHOT_HEADER: judged.decider.snapshot} if judged.decisions else None
    return Response(orjson.dumps(content), headers=headers, media_type=JSON)
