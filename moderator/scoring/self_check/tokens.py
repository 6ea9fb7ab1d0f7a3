"""Are texts tokenized and conversations written as transformers itself does it, from the same files?"""

from collections.abc import Iterator, Sequence
from typing import Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.rendering.content import readable
from moderator.scoring.rendering.framing import Message, frame
from moderator.scoring.rendering.renderer import Renderer
from moderator.scoring.rendering.templates.template_text import DATE, template_text
from moderator.scoring.rendering.templates.verdicts import VerdictRenderer

TEXTS: Final = (
    "x",
    "hello",
    "Hello, World!",
    "HELLO hElLo",
    "caf\u00e9 na\u00efve \u00dcber \u0130stanbul",
    "cafe\u0301 nai\u0308ve",
    " leading and trailing ",
    "double  spaces   and\ttabs",
    "line\nline\n\nline\r\nline",
    "1 22 333 4444 55555 3.14 1,000,000",
    "don't I'll we've it's",
    "a-b_c/d\\e@f#g$h%i^j&k*l(m)n+o=p",
    "'single' \"double\" \u201ccurly\u201d \u2014 \u2026",
    "https://example.com/path?query=1&other=%20",
    "def f(x):\n    return x ** 2  # comment",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f \U0001f44d\U0001f3fd",
    "\u4f60\u597d\uff0c\u4e16\u754c",
    "\u3053\u3093\u306b\u3061\u306f \u30ab\u30bf\u30ab\u30ca \uc548\ub155\ud558\uc138\uc694",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1",
    "antidisestablishmentarianism aaaaaaaaaaaaaaaaaaaa",
    " ".join(f"word{number}" for number in range(300)),
)
"""None is empty: a message without text is never judged."""
CONVERSATIONS: Final[Sequence[list[Turn]]] = (
    [Turn("user", "How are you?"), Turn("assistant", "Fine,  thanks.\n\nAnd you?")],
    [Turn("user", "1 + 1?"), Turn("assistant", "2"), Turn("user", "You idiot! \U0001f600")],
    [Turn("system", "Be kind."), Turn("user", "Hi"), Turn("assistant", "Hello.")],
    [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"), Turn("assistant", "d"), Turn("user", "e")],
)
"""Each is judged at its last turn."""
_SHOWN_CHARACTERS: Final = 40
_ASKS_FOR_THE_DATE: Final = ("strftime_now", "datetime")


def compare_tokens(renderer: Renderer, reference: PreTrainedTokenizerFast, template: str | None) -> int:
    """Compare what we render with what transformers gives; return how many texts were compared.

    Args:
        renderer: of the model.
        reference: the tokenizer as transformers reads it by itself; its chat template is set.
        template: the chat template; None: the model has none, or reads bare messages.

    Raises:
        ConfigurationError: a text has other tokens; the text names it, and the first token that differs.
    """
    reference.chat_template = template
    events = [[Turn("user", text)] for text in TEXTS]
    if renderer.reads_context:
        events += CONVERSATIONS
    compared = 0
    for event, rendering in zip(events, renderer.render(events), strict=True):
        wanted = _wanted(renderer, reference, event)
        if rendering.cut == "nothing" and wanted:
            for ours, theirs in zip((rendering.token_ids, *rendering.others), wanted, strict=True):
                _require_equal(event[-1].content, ours, theirs)
            compared += 1
    return compared


def _wanted(renderer: Renderer, reference: PreTrainedTokenizerFast, event: Sequence[Turn]) -> list[list[int]]:
    """Give each text's tokens by transformers; none where its template does not accept the order of the turns."""
    if not renderer.reads_context:
        return [_ids(reference.encode(readable(event[-1].content).text, padding=False))]
    try:
        if isinstance(renderer, VerdictRenderer):
            return [_asked(renderer, reference, event, question) for question in range(renderer.questions)]
        return [_templated(reference, [_seen(turn) for turn in frame(event)])]
    except Exception:  # noqa: BLE001 - a template is a program and can raise anything; such turns are merged
        return []


def _asked(
    guard: VerdictRenderer, reference: PreTrainedTokenizerFast, event: Sequence[Turn], question: int
) -> list[int]:
    """Tokenize what a guard is asked; `apply_chat_template` cannot begin the answer."""
    messages = [_seen(turn) for turn in guard.read_turns(guard.frame(event), question)]
    return _ids(reference.encode(guard.write(reference, messages, question), add_special_tokens=False))


def _seen(turn: Message) -> dict[str, str]:
    role, content = turn
    return {"role": role, "content": readable(content).text}


def _templated(reference: PreTrainedTokenizerFast, messages: list[dict[str, str]]) -> list[int]:
    if any(word in str(reference.chat_template) for word in _ASKS_FOR_THE_DATE):
        # it would give today's date
        return _ids(reference.encode(template_text(reference, messages), add_special_tokens=False))
    return _ids(reference.apply_chat_template(messages, date_string=DATE, return_dict=False))


def _ids(given: object) -> list[int]:
    assert isinstance(given, list)
    return given


def _require_equal(text: str, ours: Sequence[int], wanted: Sequence[int]) -> None:
    if list(ours) == list(wanted):
        return
    pairs = zip(_ended(ours), _ended(wanted), strict=False)
    at, (own, other) = next((at, pair) for at, pair in enumerate(pairs) if pair[0] != pair[1])
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}\u2026"
    raise ConfigurationError(
        f"our tokens are not those of transformers' AutoTokenizer: for {shown!r}, token {at} is {own}, there {other}"
    )


def _ended(ids: Sequence[int]) -> Iterator[int | str]:
    yield from ids
    yield "the end"
