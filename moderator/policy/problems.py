"""The error for a policy folder that may not decide, with what is wrong in it one by one."""

from collections.abc import Sequence

from moderator.errors import PolicyError
from moderator.policy.syntax.diagnostics import Diagnostic, error_text


class PolicyProblemsError(PolicyError):
    """A folder cannot be used for problems that have a place; the text holds a summary and each one's block.

    Attributes:
        problems: errors, at least one, in the order of files and lines.
    """

    def __init__(self, summary: str, problems: Sequence[Diagnostic]) -> None:
        super().__init__(summary, problems)  # both are its arguments, so that it can be sent between processes
        self.summary = summary
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return error_text(self.summary, self.problems)
