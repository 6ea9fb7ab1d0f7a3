"""What a guard may answer, and how it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moderator.events import OutputScale


@dataclass(frozen=True, slots=True)
class Question:
    """One of several that a guard is asked, a pass each.

    Attributes:
        template: further variables for the chat template.
        of_replies: those where the judged message is the assistant's; None: the same.
    """

    template: Mapping[str, Any]
    of_replies: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a guard may answer, and how it is asked.

    Attributes:
        answers: by name, at least two; the first token of each after the prefix decides.
        answer_prefix: written after the prompt, before the answer; left out where the prompt ends with it.
        template: further variables for the chat template.
        questions: by objective, whose value is the share of the first answer; none: the answers are the objectives.
        digest: of the file that says so, hex; empty for a guard that is known by its template.
    """

    answers: Mapping[str, str]
    answer_prefix: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    digest: str = ""

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the questions, or else of the answers, in their order."""
        return tuple(self.questions or self.answers)

    @property
    def passes(self) -> int:
        """How often the model reads each text."""
        return len(self.questions) or 1

    @property
    def scale(self) -> OutputScale:
        """What the objectives' values are: answers exclude one another, questions do not."""
        return "sigmoid" if self.questions else "softmax"

    def variables(self, question: int, judged_role: str) -> Mapping[str, Any]:
        """Give the further variables of the chat template.

        Args:
            question: index of the question; 0 where there are none.
            judged_role: of the judged message.
        """
        if not self.questions:
            return self.template
        asked = tuple(self.questions.values())[question]
        is_reply = judged_role == "assistant" and asked.of_replies is not None
        return {**self.template, **((asked.of_replies or {}) if is_reply else asked.template)}
