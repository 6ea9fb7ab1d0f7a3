"""The OpenAPI document of the API, made from the models of events and decisions."""

from functools import cache
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from moderator.events import SEVERITIES, Decision
from moderator.http.api.decisions import CLOUD_EVENT, CLOUD_EVENTS
from moderator.http.api.gate import DEADLINE_HEADER
from moderator.http.api.guardrail_parameters import NAME as PARAMETERS
from moderator.http.api.guardrail_parameters import Judged, OnFlag
from moderator.http.refusals import Refusal
from moderator.observability.build import versions
from moderator.policy.live.status import FolderWord
from moderator.stream.event_schema import MAX_NAME_CHARACTERS, ROLE_SCHEMA, ChatEventRecord

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_JSON: Final = "application/json"
_COMMON: Final = {
    "400": "Not JSON, or not this route's shape.",
    "401": "No token, or a wrong one.",
    "403": "No token is set on this server, or the host is not allowed.",
    "413": "The body, a text or the number of them is too large.",
    "415": "The body has another type.",
    "422": "The right shape, but an event that cannot be judged.",
    "429": "The queue is full.",
    "500": "A fault of moderator.",
    "503": "Not ready, or draining.",
    "504": "Not answered within the deadline.",
}
_RETRY: Final = ("429", "503")
_OF_GET: Final = ("401", "403", "500", "503")


@cache
def openapi() -> Schema:
    """Give the document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "moderator",
            "version": versions()["version"],
            "description": "Moderation decisions over HTTP, from the same model and policies as the stream.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"key": []}],
        "paths": {
            "/v1/decisions": {"post": _decisions()},
            "/v1/moderations": {"post": _moderations()},
            "/v1/status": {"get": _status()},
            "/beta/litellm_basic_guardrail_api": {"post": _guardrail()},
            "/openapi.json": {"get": _document()},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "headers": _headers(),
            "responses": {_response_name(status): _error(status, text) for status, text in _COMMON.items()},
            "schemas": _schemas(),
        },
    }


def _decisions() -> Schema:
    event, batch = _ref("ChatEvent"), {"type": "array", "items": {}}
    return _posted(
        "decide",
        "Decide on a chat event, or on each of an array.",
        {
            _JSON: {"anyOf": [event, _ref("CloudEvent"), batch]},
            CLOUD_EVENT: _ref("CloudEvent"),
            CLOUD_EVENTS: batch,
        },
        {"anyOf": [_ref("Decision"), {"type": "array", "items": {"anyOf": [_ref("Decision"), _ref("Error")]}}]},
    )


def _moderations() -> Schema:
    return _posted(
        "moderate",
        "OpenAI's moderation call.",
        {_JSON: _ref("ModerationRequest")},
        _ref("ModerationResponse"),
    )


def _guardrail() -> Schema:
    operation = _posted(
        "guard",
        "LiteLLM's Generic Guardrail API. A full queue is 503 here.",
        {_JSON: _ref("GuardrailRequest")},
        _ref("GuardrailResponse"),
    )
    del operation["responses"]["429"]
    return operation


def _status() -> Schema:
    return {
        "operationId": "status",
        "summary": "The model, the policies that decide, and what the policy folder holds.",
        "responses": {
            "200": _answer("The status.", _ref("Status")),
            **{status: _response(status) for status in _OF_GET},
        },
    }


def _document() -> Schema:
    return {
        "operationId": "document",
        "summary": "This document.",
        "security": [],
        "responses": {"200": _answer("This document.", {"type": "object"})},
    }


def _posted(name: str, summary: str, bodies: dict[str, Schema], answer: Schema) -> Schema:
    deadline = {
        "name": DEADLINE_HEADER,
        "in": "header",
        "description": "Lowers the deadline, in milliseconds.",
        "schema": {"type": "integer", "minimum": 1},
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [deadline],
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type, schema in bodies.items()},
        },
        "responses": {
            "200": _answer("What was decided.", answer),
            **{status: _response(status) for status in _COMMON},
        },
    }


def _answer(description: str, schema: Schema) -> Schema:
    return {
        "description": description,
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", "x-moderator-snapshot")
        },
        "content": {_JSON: {"schema": schema}},
    }


def _headers() -> Schema:
    return {
        "x-request-id": {"description": "The request's name.", "schema": {"type": "string"}},
        "x-moderator-snapshot": {
            "description": "The policies that decided, where something was judged.",
            "schema": {"type": "string"},
        },
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1, "maximum": 30}},
    }


def _response(status: str) -> Schema:
    return {"$ref": f"#/components/responses/{_response_name(status)}"}


def _response_name(status: str) -> str:
    return f"Error{status}"


def _error(status: str, description: str) -> Schema:
    names = ["x-request-id", *(["Retry-After"] if status in _RETRY else [])]
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {_JSON: {"schema": _ref("Error")}},
    }


def _schemas() -> Schema:
    event = ChatEventRecord.model_json_schema(ref_template=_REF)
    decision = TypeAdapter(Decision).json_schema(mode="serialization", ref_template=_REF)
    parts = event.pop("$defs") | decision.pop("$defs")
    return {
        **parts,
        "ChatEvent": event,
        "CloudEvent": _cloud_event(),
        "Decision": decision,
        "Error": _error_body(),
        "ModerationRequest": _moderation_request(),
        "ModerationResponse": _moderation_response(),
        "GuardrailRequest": _guardrail_request(),
        "GuardrailResponse": _guardrail_response(),
        "Status": _status_body(),
    }


def _cloud_event() -> Schema:
    text: Schema = {"type": "string"}
    fields = {"specversion": text, "id": text, "time": text, "data": {}, "data_base64": text}
    contents = [{"required": [name]} for name in ("data", "data_base64")]
    return _object(fields, required=["specversion"]) | {"anyOf": contents}


def _error_body() -> Schema:
    fields = Refusal(400, "", "").body["error"]
    text: Schema = {"type": "string"}
    kinds = {"enum": ["invalid_request_error", "rate_limit_error", "server_error"]}
    known = {"message": text, "type": kinds, "param": _nullable(text), "code": text}
    return _object({"error": _object({name: known[name] for name in fields}, required=[*fields])}, required=["error"])


def _moderation_request() -> Schema:
    text: Schema = {"type": "string"}
    part = {
        "oneOf": [
            _object({"type": {"const": "text"}, "text": text}, required=["type", "text"]),
            _object(
                {"type": {"const": "image_url"}, "image_url": _object({"url": text}, required=["url"])},
                required=["type", "image_url"],
            ),
        ]
    }
    lists = [{"type": "array", "minItems": 1, "items": items} for items in (text, part)]
    name = _nullable({"type": "string", "maxLength": MAX_NAME_CHARACTERS}, {"type": "integer"})
    event = {
        "speaker": _nullable(ROLE_SCHEMA),
        **dict.fromkeys(("tenant", "channel", "user", "conversation_id"), name),
        **dict.fromkeys(("locale", "role"), _nullable(text)),
        "time": _nullable(text, {"type": "number"}),
        "metadata": _nullable({"type": "object"}),
    }
    return _object(
        {
            "input": {"anyOf": [text, *lists]},
            "model": _nullable({"type": "string", "description": "Accepted, and without effect."}),
            "event": _nullable(_object(event) | {"description": "Fields of a chat event, for all inputs."}),
        },
        required=["input"],
    )


def _moderation_response() -> Schema:
    def of_signals(values: Schema) -> Schema:
        return {"type": "object", "additionalProperties": values}

    result = {
        "flagged": {"type": "boolean"},
        "categories": of_signals({"type": "boolean"}),
        "category_scores": of_signals(_nullable({"type": "number", "minimum": 0, "maximum": 1})),
        "category_applied_input_types": of_signals({"type": "array", "items": {"const": "text"}}),
        "moderator": _ref("Decision"),
    }
    results = {"type": "array", "minItems": 1, "items": _object(result, required=[*result])}
    text: Schema = {"type": "string"}
    return _object({"id": text, "model": text, "results": results}, required=["id", "model", "results"])


def _guardrail_request() -> Schema:
    text: Schema = {"type": "string"}
    short = _nullable({"type": "string", "maxLength": MAX_NAME_CHARACTERS})
    parameters = {
        **dict.fromkeys(("tenant", "channel", "locale", "role"), short),
        "judge": _nullable({"enum": [*get_args(Judged)]}),
        "block_at": _nullable({"enum": [*SEVERITIES]}),
        "on_flag": _nullable({"enum": [*get_args(OnFlag)]}),
        "replacement": _nullable(text),
    }
    return _object(
        {
            "input_type": {"enum": ["request", "response"]},
            "texts": _nullable({"type": "array", "items": text}),
            "structured_messages": _nullable({"type": "array", "items": {"type": "object"}}),
            "model": {},
            "litellm_call_id": {},
            "litellm_trace_id": {},
            "request_data": {},
            PARAMETERS: _nullable(_object(parameters)),
        },
        required=["input_type"],
    )


def _guardrail_response() -> Schema:
    text: Schema = {"type": "string"}
    summary = {
        "decision_id": text,
        "verdict": {"enum": ["allow", "flag"]},
        "severity": _nullable({"enum": [*SEVERITIES]}),
        "reasons": {"type": "array", "items": text},
    }
    return _object(
        {
            "action": {"enum": ["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]},
            "blocked_reason": text,
            "texts": {"type": "array", "items": text},
            "moderator": {"type": "array", "items": _object(summary, required=[*summary])},
        },
        required=["action", "moderator"],
    )


def _status_body() -> Schema:
    text: Schema = {"type": "string"}
    texts: Schema = {"type": "array", "items": text}
    problem = {
        **dict.fromkeys(("code", "file", "policy", "owner"), _nullable(text)),
        **dict.fromkeys(("line", "column"), _nullable({"type": "integer"})),
        **dict.fromkeys(("severity", "message", "hint"), text),
    }
    policies = {
        **dict.fromkeys(("snapshot", "source", "since"), text),
        "folder": {"enum": [*get_args(FolderWord)]},
        "stale_s": {"type": "number"},
        "ignored": texts,
        "problems": {"type": "array", "items": _object(problem, required=[*problem])},
    }
    model = {**dict.fromkeys(("name", "fingerprint", "dtype", "framing"), text), "objectives": texts}
    whole = {
        "ready": {"type": "boolean"},
        "version": text,
        "instance": text,
        "model": _object(model, required=[*model]),
        "policies": _object(policies, required=[*policies]),
    }
    return _object(whole, required=[*whole])


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _nullable(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": _REF.format(model=name)}
