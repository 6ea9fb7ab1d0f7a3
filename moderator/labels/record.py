"""One label, `moderator.label/1`: made from a decision and a person's judgement, read back from topic or file."""

import uuid
from functools import cache
from typing import Any, Literal, NamedTuple, cast, get_args
from urllib.parse import quote, unquote

import orjson
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from moderator.errors import ModeratorError
from moderator.events import Decision, Verdict

SCHEMA: Literal["moderator.label/1"] = "moderator.label/1"
MAX_NOTE_CHARACTERS = 2_000

Said = Literal["right", "wrong", "unsure"]
"""Whether the decision's verdict is right."""
Queue = Literal["flagged", "shadow", "borderline", "sample"]
ReviewerFrom = Literal["login", "proxy", "local", "token"]
QUEUES: tuple[Queue, ...] = get_args(Queue)

Key = tuple[str, str]
"""An event: tenant, empty where it has none, and event id."""


class Label(TypedDict):
    """The record in `moderation.labels`.

    `label` is the verdict that would be right, null for *unsure*. `rules` are those that counted, or matched in shadow.
    """

    schema: Literal["moderator.label/1"]
    label_id: str
    labelled_at: str
    id: str
    tenant: str | None
    label: Verdict | None
    judgement: Said
    note: str | None
    reviewer: str
    reviewer_from: ReviewerFrom
    decision_id: str
    verdict: Verdict
    snapshot: str
    rules: list[str]
    queue: Queue | None
    sample_share: float | None


class Reviewer(NamedTuple):
    """Who labels, and from where we know it."""

    name: str
    known_from: ReviewerFrom


class InvalidLabelError(ModeratorError):
    """A value is not a label; the text quotes nothing of it."""


def label_of(
    decision: Decision,
    said: Said,
    reviewer: Reviewer,
    *,
    labelled_at: str,
    note: str | None = None,
    queue: Queue | None = None,
    sample_share: float | None = None,
) -> Label:
    """Make the label that a reviewer gives a decision; `sample_share` is kept for the queue `sample` alone."""
    event, verdict = decision["event"], decision["verdict"]
    return {
        "schema": SCHEMA,
        "label_id": f"lab_{uuid.uuid4().hex}",
        "labelled_at": labelled_at,
        "id": event["id"],
        "tenant": event["tenant"],
        "label": _right_verdict(verdict, said),
        "judgement": said,
        "note": note or None,
        "reviewer": reviewer.name,
        "reviewer_from": reviewer.known_from,
        "decision_id": decision["decision_id"],
        "verdict": verdict,
        "snapshot": decision["policy"]["snapshot"],
        "rules": _rules_of(decision),
        "queue": queue,
        "sample_share": sample_share if queue == "sample" else None,
    }


def encode_label(label: Label) -> bytes:
    """Write a label as one line of JSON, without a line end."""
    return orjson.dumps(label)


def record_key(label: Label) -> bytes:
    """Give the key under which a person's new label of an event replaces the old one."""
    return ":".join(quote(part, safe="") for part in (label["tenant"] or "", label["id"], label["reviewer"])).encode()


def parse_key(key: bytes | None) -> tuple[Key, str] | None:
    """Take a record's key apart, into event and reviewer; None for one that has another form."""
    parts = (key or b"").decode(errors="replace").split(":")
    if len(parts) != len(("tenant", "event", "reviewer")):
        return None
    tenant, event, reviewer = map(unquote, parts)
    return (tenant, event), reviewer


def event_key(label: Label) -> Key:
    """Name the event that a label is about."""
    return label["tenant"] or "", label["id"]


def parse_label(value: bytes) -> Label:
    """Parse one value.

    Raises:
        InvalidLabelError: not JSON, or not a label.
    """
    try:
        label = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidLabelError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(label, dict) or label.get("schema") != SCHEMA:
        raise InvalidLabelError(f"JSON, but not a label: `schema` should be `{SCHEMA}`")
    return label_from(label)


def label_from(record: dict[str, Any]) -> Label:
    """Check a record that says it is a label; keys that we do not know are left as they are.

    Raises:
        InvalidLabelError: it names the first field that is wrong.
    """
    try:
        _adapter().validate_python(record, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InvalidLabelError(f"a label whose `{where}` is wrong: {first['msg'].lower()}") from None
    return cast("Label", record)


def _right_verdict(verdict: Verdict, said: Said) -> Verdict | None:
    if said == "unsure":
        return None
    if said == "right":
        return verdict
    return "allow" if verdict == "flag" else "flag"


def _rules_of(decision: Decision) -> list[str]:
    return [
        result["rule"]
        for result in decision["rules"]
        if result["counted"] or (result["mode"] == "shadow" and result["outcome"] == "matched")
    ]


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Label)
