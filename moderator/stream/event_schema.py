"""The public shape of an event, its JSON Schema's source, and what is wrong with a value of another shape."""

from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)

from moderator.events import Role
from moderator.stream.metadata import MAX_KEYS

TEXT_PARTS = ("text", "input_text", "output_text")
MAX_NAME_CHARACTERS = 256

_EXACT = 2**53
"""Below it every whole number is a float of its own."""


def whole_number(value: object) -> object:
    """Read `1.0` and `1e3` as the integers that they are, where no other number is the same float."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


Name = Annotated[Annotated[StrictStr, Field(max_length=MAX_NAME_CHARACTERS)] | StrictInt, BeforeValidator(whole_number)]
"""An identifier; an integer of any size is read as its text."""
ROLE_SCHEMA = {
    "type": "string",
    "pattern": f"^({'|'.join(''.join(f'[{c}{c.upper()}]' for c in role) for role in get_args(Role))})$",
    "description": f"One of {', '.join(get_args(Role))}; capitals are read as small letters.",
}


def _lower_case(role: object) -> object:
    """Read `USER` as `user`: other products write roles so, and the meaning is plain."""
    return role.lower() if isinstance(role, str) else role


_REASONING = "Skipped and counted, or judged: `MODERATOR_READING__REASONING`."
_TOOL_CALLS = "Skipped and counted, or judged: `MODERATOR_READING__TOOL_CALLS`."
_TRANSCRIPT = "A text is judged as content is; the sound is skipped and counted."


class ContentPart(BaseModel):
    """Part of a message; texts are joined by a newline; parts of other types are left out and counted."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"type": {"enum": list(types)}}},
                    "then": {"required": [field], "properties": {field: {"type": "string"}}},
                }
                for field, types in (("text", TEXT_PARTS), ("refusal", ("refusal",)))
            ]
        },
    )

    type: StrictStr
    text: Any = Field(None, description="A string in text parts; in others it is ignored.")
    refusal: Any = Field(None, description="A string in parts of type `refusal`; in others it is ignored.")
    thinking: Any = Field(None, description=f"In parts of type `thinking`. {_REASONING}")
    reasoning: Any = Field(None, description=f"In parts of type `reasoning`. {_REASONING}")
    name: Any = Field(None, description=f"In parts of type `tool_use`. {_TOOL_CALLS}")
    input: Any = Field(None, description=f"In parts of type `tool_use`. {_TOOL_CALLS}")
    arguments: Any = Field(None, description=f"In parts of type `tool_call`. {_TOOL_CALLS}")
    transcript: Any = Field(None, description=f"In parts with audio. {_TRANSCRIPT}")


class ToolFunction(BaseModel):
    """What a tool call calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: StrictStr | None = None
    arguments: StrictStr | None = None


class CustomTool(BaseModel):
    """What a call of a custom tool calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Any = None
    input: Any = None


class ToolCall(BaseModel):
    """One tool call of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    function: ToolFunction | None = None
    custom: CustomTool | None = None


class ChatMessage(BaseModel):
    """One message as in OpenAI's chat API; null content is normal in a message with tool calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Annotated[Role, BeforeValidator(_lower_case), WithJsonSchema(ROLE_SCHEMA)]
    content: StrictStr | list[ContentPart] | None = None
    refusal: StrictStr | None = Field(None, description="Judged after the content: it is what the user saw.")
    reasoning_content: StrictStr | None = Field(None, description=_REASONING)
    reasoning: StrictStr | None = Field(None, description=_REASONING)
    reasoning_details: Any = Field(None, description=f"Blocks with `text` or `summary`. {_REASONING}")
    thinking: Any = Field(None, description=_REASONING)
    thinking_blocks: Any = Field(None, description=f"Blocks with `thinking`. {_REASONING}")
    audio: Any = Field(None, description=f"An object with `transcript`. {_TRANSCRIPT}")
    images: Any = Field(None, description="Skipped and counted.")
    parts: Any = Field(None, description="Parts beside the content: skipped and counted.")
    tool_calls: list[ToolCall] | None = Field(None, description=_TOOL_CALLS)
    function_call: ToolFunction | None = Field(None, description=_TOOL_CALLS)


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
        None,
        description=f"Text, numbers, true and false are matched, compared and echoed, {MAX_KEYS} at most; others are "
        "ignored.",
    )


_FIELDS = frozenset(
    name
    for model in (ChatEventRecord, ChatMessage, ContentPart, ToolCall, ToolFunction, CustomTool)
    for name in model.model_fields
)  # only our own names may appear in an error
_A_NAME = "text or a whole number"
_WANTED = {
    **dict.fromkeys(("id", "conversation_id", "tenant", "channel", "user"), _A_NAME),
    **dict.fromkeys(("prompt", "response", "text", "locale", "role", "type", "name", "arguments"), "text"),
    **dict.fromkeys(("refusal", "reasoning", "reasoning_content"), "text"),
    "tool_calls": "a list of objects",
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


def describe(error: ValidationError) -> tuple[str, str]:
    """Name the place, such as `messages.0.role`, and the problem in one line; quote nothing that was sent."""
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
    return ".".join(map(str, steps)), problem
