"""The public shape of an event, its JSON Schema's source, and what is wrong with a value of another shape."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from moderator.events import Role

TEXT_PARTS = ("text", "input_text", "output_text")
MAX_NAME_CHARACTERS = 256
MAX_METADATA_KEYS = 32

Name = Annotated[StrictStr, Field(max_length=MAX_NAME_CHARACTERS)] | StrictInt
"""An identifier; an integer of any size is read as its text."""


class ContentPart(BaseModel):
    """Part of a message; texts are joined by a newline; parts of other types are left out and counted."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={
            "if": {"properties": {"type": {"enum": list(TEXT_PARTS)}}},
            "then": {"required": ["text"], "properties": {"text": {"type": "string"}}},
        },
    )

    type: StrictStr
    text: Any = Field(None, description="A string in text parts; in others it is ignored.")


class ChatMessage(BaseModel):
    """One message as in OpenAI's chat API; null content is normal in a message with tool calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Role
    content: StrictStr | list[ContentPart] | None = None


class ChatEventRecord(BaseModel):
    """A chat event. The judged message is the last one; exactly one of `messages`, `prompt`, `text` is given."""

    model_config = ConfigDict(frozen=True, extra="ignore", title="moderator.event/1")

    id: Name | None = Field(None, description="Without it the id is topic/partition/offset.")
    messages: list[ChatMessage] | None = Field(None, min_length=1)
    prompt: StrictStr | None = Field(None, description="Shorthand with `response`: a user's message and its reply.")
    response: StrictStr | None = None
    text: StrictStr | None = Field(None, description="Shorthand: a single user message.")
    conversation_id: Name | None = None
    tenant: Name | None = None
    channel: Name | None = None
    locale: StrictStr | None = None
    user: Name | None = None
    role: StrictStr | None = Field(None, description="The author's role in the product, such as member or moderator.")
    time: StrictStr | StrictInt | StrictFloat | None = Field(None, description="Passed through as given.")
    metadata: dict[str, Any] | None = Field(
        None, description=f"Text values are matched and echoed, {MAX_METADATA_KEYS} at most; others are ignored."
    )


_FIELDS = frozenset(
    name for model in (ChatEventRecord, ChatMessage, ContentPart) for name in model.model_fields
)  # only our own names may appear in an error
_A_NAME = "text or a whole number"
_WANTED = {
    **dict.fromkeys(("id", "conversation_id", "tenant", "channel", "user"), _A_NAME),
    **dict.fromkeys(("prompt", "response", "text", "locale", "role", "type"), "text"),
    "time": "text or a number",
    "messages": "a list of objects",
    "content": "text or a list of parts",
    "metadata": "an object",
}
_PROBLEMS = {
    "model_type": "should be an object",
    "missing": "is missing",
    "too_short": "is empty",
    "string_too_long": f"more than {MAX_NAME_CHARACTERS} characters",
}


def describe(error: ValidationError) -> str:
    """Name the place and the problem in one line; quote nothing that was sent."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    # each accepted shape has its errors: the deepest one belongs to the shape that was meant
    first = max(errors, key=lambda each: len(each["loc"]))
    steps = [part for part in first["loc"] if isinstance(part, int) or part in _FIELDS]
    field = next((part for part in reversed(steps) if isinstance(part, str)), "")
    kind = first["type"]
    if kind in _PROBLEMS:
        problem = _PROBLEMS[kind]
    elif kind.endswith("_type") and field in _WANTED:
        problem = f"should be {_WANTED[field]}"
    else:
        problem = first["msg"].lower()
    return f"`{'.'.join(map(str, steps))}`: {problem}"
