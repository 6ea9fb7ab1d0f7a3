"""`POST /beta/litellm_basic_guardrail_api`: LiteLLM's Generic Guardrail API.

LiteLLM takes 502, 503 and 504, and only these, for a guardrail that cannot be reached: a full queue is one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

import orjson
from starlette.responses import Response

from moderator.events import SEVERITIES, ChatEvent, DeadLetter, Decision, Record
from moderator.http.api.body import JSON
from moderator.http.api.decisions import SNAPSHOT_HEADER
from moderator.http.api.events import bad_request, batch_too_large, refusal_of, too_large, utf8_bytes
from moderator.http.api.gate import Call
from moderator.http.api.guardrail_parameters import NAME, Parameters, read_parameters
from moderator.http.api.intake import TOPIC, Intake, Judged, Placed
from moderator.http.refusals import Refusal
from moderator.settings import Settings
from moderator.stream.codec import ParsedEvent, read_parsed

PATH: Final = "/beta/litellm_basic_guardrail_api"
_OPERATORS_ROLES: Final = ("system", "developer")
_ROLES: Final = {"function": "tool"}
_SOURCES: Final = (
    ("tenant", "request_data.user_api_key_team_id"),
    ("user", "request_data.user_api_key_end_user_id"),
    ("user", "request_data.user_api_key_user_id"),
    ("conversation_id", "litellm_trace_id"),
)
"""Fields of an event, and where LiteLLM says them; the first that says something counts."""
InputType = Literal["request", "response"]


class _Sent(NamedTuple):
    """What LiteLLM asks about.

    Attributes:
        fields: of every event.
        names: what the client calls these fields.
        call_id: LiteLLM's name of the call; None where it gives none.
    """

    input_type: InputType
    texts: Sequence[str]
    messages: Sequence[Mapping[str, Any]] | None
    fields: Mapping[str, Any]
    names: Mapping[str, str]
    call_id: str | None
    parameters: Parameters


class _Candidate(NamedTuple):
    """One conversation whose last message may be judged.

    Attributes:
        param: what the client calls it.
    """

    place: int
    messages: Sequence[Mapping[str, Any]]
    param: str


async def guard(call: Call, intake: Intake, settings: Settings) -> Response:
    """Answer whether LiteLLM should pass, block or change what it sent.

    Raises:
        Refusal: the request cannot be judged.
    """
    sent = _read(call.body.value)
    candidates = list(_candidates(sent))
    if len(candidates) > settings.http.max_batch:
        raise batch_too_large(settings.http.max_batch, "texts")
    placed = await call.aside(lambda: list(_placed(candidates, sent, call, settings)))
    try:
        judged = await intake.judge(call.request, placed, call.deadline_s)
    except Refusal as refusal:
        raise _unreachable(refusal) from None
    content = _answer(sent, _decisions(judged, {each.place: each.param for each in candidates}))
    headers = {SNAPSHOT_HEADER: judged.decider.snapshot} if placed else None
    return Response(orjson.dumps(content), headers=headers, media_type=JSON)


def _read(body: Any) -> _Sent:
    if not isinstance(body, dict):
        raise bad_request("the body should be an object with `input_type`")
    input_type = body.get("input_type")
    if input_type not in ("request", "response"):
        raise bad_request("`input_type` should be `request` or `response`", "input_type")
    parameters = read_parameters(body.get(NAME))
    known = _known(body)
    return _Sent(
        input_type,
        _list(body, "texts", str, "a list of texts"),
        _list(body, "structured_messages", dict, "a list of objects") or None,
        {name: value for name, (_, value) in known.items()} | _metadata(body) | dict(parameters.fields),
        {name: param for name, (param, _) in known.items()},
        _text(body.get("litellm_call_id")),
        parameters,
    )


def _list(body: Mapping[str, Any], name: str, kind: type, wanted: str) -> list[Any]:
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise bad_request(f"`{name}` should be {wanted}", name)
    wrong = next((place for place, each in enumerate(given) if not isinstance(each, kind)), None)
    if wrong is not None:
        raise bad_request(f"`{name}` should be {wanted}", f"{name}[{wrong}]")
    return given


def _known(body: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Give by field what LiteLLM knows of the caller, and where it says so; addresses and hashes are not taken over."""
    data = body.get("request_data")
    said = {f"request_data.{name}": value for name, value in data.items()} if isinstance(data, dict) else {}
    said["litellm_trace_id"] = body.get("litellm_trace_id")
    found: dict[str, tuple[str, str]] = {}
    for field, param in _SOURCES:
        if value := _text(said.get(param)):
            found.setdefault(field, (param, value))
    return found


def _metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    model = _text(body.get("model"))
    return {"metadata": {"surface": "litellm"} | ({} if model is None else {"model": model})}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _candidates(sent: _Sent) -> Iterator[_Candidate]:
    if sent.input_type == "request" and sent.messages is not None:
        messages = [_message(each) for each in sent.messages]
        for place in range(len(messages)) if sent.parameters.judge == "every" else [len(messages) - 1]:
            if sent.parameters.judge == "last" or messages[place].get("role") not in _OPERATORS_ROLES:
                yield _Candidate(place, messages[: place + 1], f"structured_messages[{place}]")
        return
    role = "user" if sent.input_type == "request" else "assistant"
    for place, text in enumerate(sent.texts):
        yield _Candidate(place, [{"role": role, "content": text}], f"texts[{place}]")


def _message(given: Mapping[str, Any]) -> Mapping[str, Any]:
    role = given.get("role")
    return {**given, "role": _ROLES[role]} if isinstance(role, str) and role in _ROLES else given


def _placed(candidates: Sequence[_Candidate], sent: _Sent, call: Call, settings: Settings) -> Iterator[Placed]:
    for each in candidates:
        event = _event(each, sent, call, settings)
        if event is None:
            continue
        if sum(utf8_bytes(turn.content) for turn in event.conversation) > settings.max_event_bytes:
            raise refusal_of(too_large(settings.max_event_bytes), each.param)
        yield Placed(each.place, event)


def _event(each: _Candidate, sent: _Sent, call: Call, settings: Settings) -> ChatEvent | None:
    """Read one conversation; None where its last message has no text, as with images or tool calls alone."""
    body: dict[str, Any] = {"messages": list(each.messages), **sent.fields}
    unnamed = f"{TOPIC}/{call.request_id}/{each.place}"
    if sent.call_id is not None:
        unnamed = f"{sent.call_id}/{sent.input_type}/{each.place}"
    parsed = ParsedEvent(body, lambda: body, unnamed)
    event = read_parsed(parsed, Record(TOPIC, 0, each.place, None, None, None), settings.reading)
    if not isinstance(event, DeadLetter):
        return event
    if event.reason == "no_text":
        return None
    param = _param(event.field or "messages", each, sent)
    problem = event.error.partition(": ")[2] or event.error
    raise refusal_of(replace(event, error=f"`{param}`: {problem}"), param)


def _param(field: str, each: _Candidate, sent: _Sent) -> str:
    """Give the client's name of an event's wrong field."""
    name, _, rest = field.partition(".")
    if name != "messages":
        return sent.names.get(name, name)
    place, _, inner = rest.partition(".")
    if not place or sent.messages is None or sent.input_type == "response":
        return each.param
    return f"structured_messages[{place}]{'.' if inner else ''}{inner}"


def _decisions(judged: Judged, params: Mapping[int, str]) -> dict[int, Decision]:
    """Give the decisions by place; a text of which nothing can be seen has none."""
    decisions = {}
    for place, decision in judged.decisions.items():
        if not isinstance(decision, DeadLetter):
            decisions[place] = decision
        elif decision.reason != "no_text":
            raise refusal_of(decision, params[place])
    return decisions


def _answer(sent: _Sent, decisions: Mapping[int, Decision]) -> dict[str, Any]:
    parameters = sent.parameters
    flagged = {place: each for place, each in decisions.items() if parameters.counts(each)}
    moderator = {"moderator": [_summary(each) for each in decisions.values()]}
    if not flagged or parameters.on_flag == "watch":
        return {"action": "NONE", **moderator}
    if parameters.on_flag == "replace" and sent.input_type == "response":
        texts = [parameters.replacement if place in flagged else text for place, text in enumerate(sent.texts)]
        return {"action": "GUARDRAIL_INTERVENED", "texts": texts, **moderator}
    return {"action": "BLOCKED", "blocked_reason": _why(list(flagged.values())), **moderator}


def _summary(decision: Decision) -> dict[str, Any]:
    return {name: decision[name] for name in ("decision_id", "verdict", "severity", "reasons")}


def _why(flagged: Sequence[Decision]) -> str:
    worst = max(flagged, key=lambda each: SEVERITIES.index(each["severity"]) if each["severity"] else len(SEVERITIES))
    reasons = sorted({reason for each in flagged for reason in each["reasons"]})
    return f"{', '.join(reasons)} (decision {worst['decision_id']})"


def _unreachable(refusal: Refusal) -> Refusal:
    if refusal.code != "overloaded":
        return refusal
    return Refusal(503, refusal.code, refusal.message, headers=refusal.headers)
