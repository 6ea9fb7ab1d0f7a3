"""What a chat template writes, always on the same day: otherwise a text would have another score tomorrow."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final, Self

from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import _compile_jinja_template

_DAY: Final = (2024, 7, 26)
"""The date that Llama 3's templates write where they are given none."""


class _PinnedDatetime(datetime):
    """A moment and a clock in one: templates call `datetime.now()`, or write the value itself."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(*_DAY, tzinfo=tz)

    @classmethod
    def today(cls) -> Self:
        return cls(*_DAY)

    @classmethod
    def utcnow(cls) -> Self:
        return cls(*_DAY)


_MOMENT: Final = _PinnedDatetime(*_DAY)
DATE: Final = _MOMENT.strftime("%d %b %Y")
_PINNED: Final[Mapping[str, Any]] = {
    "date_string": DATE,
    "strftime_now": _MOMENT.strftime,
    "datetime": _MOMENT,
}
"""Variables for the template; they win over what transformers defines."""


def template_text(
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Mapping[str, Any]],
    more: Mapping[str, Any] = MappingProxyType({}),
    *,
    begins_answer: bool = False,
) -> str:
    """Run the tokenizer's chat template in transformers' own sandbox.

    `apply_chat_template` would do it, but it passes no functions on to the template, so that `strftime_now` would still
    give today's date.

    Args:
        tokenizer: with a template; all its named special tokens are the template's variables.
        messages: n >= 1 objects with `role` and `content`.
        more: further variables of the template.
        begins_answer: the text ends where the assistant's answer begins.

    Raises:
        Exception: of any kind: a template is a program.
    """
    compiled = _compile_jinja_template(tokenizer.chat_template)
    variables = {**tokenizer.special_tokens_map, **_PINNED, **more}
    return str(
        compiled.render(
            **{"messages": messages, "tools": [], "documents": None, "add_generation_prompt": begins_answer} | variables
        )
    )
