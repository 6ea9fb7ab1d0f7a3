"""`POST /v1/moderations`: OpenAI's moderation call, decided by our policies."""

import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson
from starlette.responses import Response

from moderator.events import ChatEvent, DeadLetter, Decision, Record, SkippedKind, Turn
from moderator.http.api.body import JSON
from moderator.http.api.categories import Categories
from moderator.http.api.decisions import SNAPSHOT_HEADER
from moderator.http.api.events import bad_request, batch_too_large, no_text, refusal_of, too_large, utf8_bytes
from moderator.http.api.gate import Call
from moderator.http.api.intake import TOPIC, Intake, Placed
from moderator.settings import Settings
from moderator.stream.codec import ParsedEvent, read_parsed

_EVENT_FIELDS: Final = (
    "tenant",
    "channel",
    "locale",
    "user",
    "role",
    "conversation_id",
    "time",
    "metadata",
)
_APPLIED: Final = ["text"]


class _Input(NamedTuple):
    """One text to judge.

    Attributes:
        param: what the client calls it.
        images: how many parts are not judged.
    """

    text: str
    param: str
    images: int = 0


async def moderate(call: Call, intake: Intake, settings: Settings) -> Response:
    """Answer with one result for each input.

    Raises:
        Refusal: the request, or one of its inputs, cannot be judged.
    """
    body = call.body.value
    if not isinstance(body, dict):
        raise bad_request("the body should be an object with `input`")
    inputs = _inputs(body.get("input"))
    if not isinstance(body.get("model", ""), str | None):
        raise bad_request("`model` should be text", "model")
    template = await call.aside(lambda: _event(call, body.get("event")))
    if len(inputs) > settings.http.max_batch:
        raise batch_too_large(settings.http.max_batch, "inputs")
    for each in inputs:
        _require_text(each, settings.max_event_bytes)
    placed = [Placed(place, _filled(template, each, call, place)) for place, each in enumerate(inputs)]
    judged = await intake.judge(call.request, placed, call.deadline_s)
    for place, each in enumerate(inputs):
        if isinstance(dead := judged.decisions[place], DeadLetter):
            raise refusal_of(dead, each.param)
    decisions = [decision for decision in judged.decisions.values() if not isinstance(decision, DeadLetter)]
    categories = intake.categories(judged.decider)
    content = {
        "id": f"modr-{secrets.token_hex(16)}",
        "model": judged.decider.model.name,
        "results": [_result(decision, categories) for decision in decisions],
    }
    return Response(orjson.dumps(content), headers={SNAPSHOT_HEADER: judged.decider.snapshot}, media_type=JSON)


def _result(decision: Decision, categories: Categories) -> Mapping[str, object]:
    return {
        "flagged": decision["verdict"] == "flag",
        "categories": categories.hits(decision),
        "category_scores": categories.scores(decision),
        "category_applied_input_types": dict.fromkeys(categories.names, _APPLIED),
        "moderator": decision,
    }


def _inputs(given: Any) -> list[_Input]:
    if isinstance(given, str):
        return [_Input(given, "input")]
    if not isinstance(given, list) or not given:
        raise bad_request("`input` should be text, a list of texts, or a list of parts, and not empty", "input")
    if isinstance(given[0], str):
        return [_Input(_text(each, place), f"input[{place}]") for place, each in enumerate(given)]
    parts = [_part(each, place) for place, each in enumerate(given)]
    texts = [text for text in parts if text is not None]
    return [_Input("\n".join(texts), "input", len(parts) - len(texts))]


def _text(given: Any, place: int) -> str:
    if not isinstance(given, str):
        raise bad_request("all of `input` should be texts, as the first is", f"input[{place}]")
    return given


def _part(given: Any, place: int) -> str | None:
    """Give the text of a part; None for an image."""
    if isinstance(given, dict) and given.get("type") == "text" and isinstance(given.get("text"), str):
        text: str = given["text"]
        return text
    if isinstance(given, dict) and given.get("type") == "image_url" and _has_url(given.get("image_url")):
        return None
    raise bad_request("each of `input` should be text, or a part of type `text` or `image_url`", f"input[{place}]")


def _has_url(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("url"), str)


def _event(call: Call, given: Any) -> ChatEvent:
    """Read what our clients add about all inputs; the text is not filled in yet."""
    if given is not None and not isinstance(given, dict):
        raise bad_request("`event` should be an object", "event")
    body = _event_body(given or {})
    parsed = ParsedEvent(body, lambda: _event_body(call.body.exact["event"] or {}), TOPIC)
    event = read_parsed(parsed, Record(TOPIC, 0, 0, None, None, None))
    if isinstance(event, DeadLetter):
        field = event.field or ""
        name = "speaker" if field.startswith("messages") else field
        raise bad_request(f"`event.{name}`: {event.error.partition(': ')[2] or event.error}", f"event.{name}")
    return event


def _event_body(given: Mapping[str, Any]) -> dict[str, Any]:
    speaker = given.get("speaker")
    message = {"role": "user" if speaker is None else speaker, "content": "."}
    return {"messages": [message]} | {name: given[name] for name in _EVENT_FIELDS if name in given}


def _require_text(each: _Input, most_bytes: int) -> None:
    if not each.text.strip():
        raise refusal_of(no_text(), each.param)
    if utf8_bytes(each.text) > most_bytes:
        raise refusal_of(too_large(most_bytes), each.param)


def _filled(template: ChatEvent, each: _Input, call: Call, place: int) -> ChatEvent:
    skipped: Mapping[SkippedKind, int] | None = {"image": each.images} if each.images else None
    return template._replace(
        id=f"{TOPIC}/{call.request_id}/{place}",
        conversation=(Turn(template.speaker, each.text),),
        skipped=skipped,
    )
