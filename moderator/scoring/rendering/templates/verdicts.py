"""Framing `verdict/1`: a conversation as a guard's own template writes it, up to where its answer begins."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.guards.verdicts import Verdicts
from moderator.scoring.rendering.content import readable
from moderator.scoring.rendering.framing import Message, known_roles, opened
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.rendering.templates.rendering import TemplateRenderer, alternating, as_objects
from moderator.scoring.rendering.templates.template_text import template_text

_EXCHANGE: Final = 2
"""Turns: a question and its reply."""
VERDICT_FRAMING: Final = "verdict/1"
_MARKER: Final = re.compile(r"<[^<>\n]+>")
_PLACEHOLDERS: Final = str.maketrans("<>", "\u2039\u203a")
_PROBES: Final[Sequence[list[Message]]] = (
    [("user", "Hi there")],
    [("user", "Hi there"), ("assistant", "Hello.")],
    [("user", "1 + 1?"), ("assistant", "\u00e9 (2)\n\n- x"), ("user", "Why?")],
)


class VerdictRenderer(TemplateRenderer):
    """Renders conversations for a guard: roles as they were sent, then the beginning of its answer."""

    framing = VERDICT_FRAMING
    probes = _PROBES

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int, verdicts: Verdicts) -> None:
        """Check our rendering against the tokenizer's own; see `TemplateRenderer`.

        Raises:
            ConfigurationError: as `TemplateRenderer`, or two answers begin with the same token, or the tokenizer splits
                an answer differently after the prefix.
        """
        self._verdicts = verdicts
        self.questions = verdicts.passes
        super().__init__(tokenizer, max_tokens)
        lines = (line.strip() for written in self._written(_PROBES) for line in written.splitlines())
        self._markers = frozenset(line for line in lines if _MARKER.fullmatch(line))
        self.answer_ids = self._answers(0)
        if any(self._answers(question) != self.answer_ids for question in range(1, self.questions)):
            raise ConfigurationError("the tokenizer splits the answers differently after one question than another")

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, in the order given; a typed line that is one of the template's stays text."""
        return super().render(
            [[Turn(role, self.disarmed(readable(text).text)) for role, text in turns] for turns in conversations]
        )

    def disarmed(self, text: str) -> str:
        """Write lines that are the template's with other brackets."""
        if "<" not in text:
            return text
        lines = text.splitlines(keepends=True)  # as the template's own
        return "".join(line.translate(_PLACEHOLDERS) if line.strip() in self._markers else line for line in lines)

    def frame(self, conversation: Sequence[Message]) -> list[Message]:
        """Keep the roles; turns of system count as the user's, and neighbours of one role are one turn."""
        return opened(alternating(known_roles(conversation)))

    def read_turns(self, turns: list[Message], question: int) -> list[Message]:
        """Give those of the framed turns that the guard's template writes."""
        return self._pieces(turns, question)[0]

    def write(
        self, tokenizer: PreTrainedTokenizerFast, messages: Sequence[Mapping[str, Any]], question: int = 0
    ) -> str:
        """Run the chat template with its question for an answer, and begin the answer."""
        variables = self._verdicts.variables(question, messages[-1]["role"])
        written = template_text(tokenizer, messages, variables, begins_answer=True)
        if not all(str(each["content"]) in written for each in messages):  # it takes parts alone
            parts = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in messages]
            written = template_text(tokenizer, parts, variables, begins_answer=True)
        prefix = self._verdicts.answer_prefix
        return written if written.endswith(prefix) else written + prefix

    def _forms(self, turns: list[Message]) -> Iterator[list[Message]]:
        """Give all turns; then a reply with its question, and what is judged alone: some guards read no more."""
        yield turns
        if len(turns) > _EXCHANGE and turns[-1][0] == "assistant":
            yield turns[-_EXCHANGE:]
        yield turns[-1:]

    def _answers(self, question: int) -> list[int]:
        """Find the first token of each answer, in their order."""
        prompt = self.write(self._tokenizer, as_objects(_PROBES[0]), question)
        before = self._tokenizer.encode(prompt, add_special_tokens=False)
        found: dict[int, str] = {}
        for answer in self._verdicts.answers.values():
            ids = self._tokenizer.encode(prompt + answer, add_special_tokens=False)
            if ids[: len(before)] != before or len(ids) == len(before):
                raise ConfigurationError(f"the tokenizer splits the answer {answer!r} differently after the prompt")
            if other := found.get(ids[len(before)]):
                raise ConfigurationError(f"the answers {other!r} and {answer!r} begin with the same token")
            found[ids[len(before)]] = answer
        return list(found)
