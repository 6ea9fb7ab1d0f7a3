"""Why a policy folder may not decide: each problem with its place, its policy and whoever owns that."""

import re
from dataclasses import dataclass

from moderator.errors import PolicyError
from moderator.policy.files.folder import SHARED_STEMS, Files, is_policy_text, stem_of
from moderator.policy.live.folder_watch import FolderState
from moderator.policy.problems import PolicyProblemsError
from moderator.policy.syntax.diagnostics import Diagnostic

FAILING_TEST = "P075"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a folder may not decide.

    Attributes:
        text: as `policy check` prints it; one to three lines, or what the folder's error says.
        code: None for a failing test, and for what has no code.
        file: None for what lies in no file.
        line, column: from 1; None for a whole file.
        policy: the policy in which it lies, by its name; None where it lies in none.
        owner: that policy's; None where it lies in none, or names none.
    """

    text: str
    code: str | None
    message: str
    hint: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    policy: str | None = None
    owner: str | None = None

    @property
    def record(self) -> dict[str, object]:
        """The problem as programs read it: `/v1/status`, `policy status --json`."""
        return {
            "code": self.code,
            "severity": "error",
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
            "policy": self.policy,
            "owner": self.owner,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a folder held that may not decide, and why.

    Attributes:
        error: everything that is wrong, as one text.
        problems: at least one.
    """

    state: FolderState
    error: str
    problems: tuple[Problem, ...]

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies in which the problems lie, sorted; none where they lie elsewhere."""
        return tuple(sorted({problem.policy for problem in self.problems if problem.policy is not None}))

    @property
    def owners(self) -> tuple[str, ...]:
        """Whom to ask, sorted."""
        return tuple(sorted({problem.owner for problem in self.problems if problem.owner is not None}))


def refusal_of(state: FolderState, error: PolicyError) -> Refusal:
    """Say why what a folder held may not decide."""
    if not isinstance(error, PolicyProblemsError):
        return Refusal(state, str(error), (Problem(str(error), None, str(error), ""),))
    files = {} if isinstance(state.files, PolicyError) else state.files
    return Refusal(state, str(error), tuple(_problem(each, files) for each in error.problems))


def _problem(diagnostic: Diagnostic, files: Files) -> Problem:
    policy, owner = _responsible(diagnostic.file, files)
    return Problem(
        text=str(diagnostic),
        code=None if diagnostic.code == FAILING_TEST else diagnostic.code,
        message=diagnostic.message,
        hint=diagnostic.hint,
        file=diagnostic.file,
        line=diagnostic.span.line if diagnostic.span else None,
        column=diagnostic.span.column if diagnostic.span else None,
        policy=policy,
        owner=owner,
    )


def _responsible(file: str, files: Files) -> tuple[str | None, str | None]:
    """Give the name and the owner of the policy that a file is part of, as they are written there.

    The file may be no YAML at all, so its lines are looked at, each for itself.
    """
    stem = stem_of(file)
    if not is_policy_text(file) or stem in SHARED_STEMS:
        return None, None
    if stem.endswith(".test"):
        policy = _said("tests_for", files.get(file)) or stem.removesuffix(".test")
    else:
        policy = _said("policy", files.get(file)) or stem
    texts = (content for name, content in files.items() if is_policy_text(name))
    return policy, next((_said("owner", text) for text in texts if _said("policy", text) == policy), None)


def _said(key: str, content: object) -> str | None:
    text = content.decode(errors="replace") if isinstance(content, bytes) else ""
    found = re.search(
        rf"""^{key}:[ \t]+(?:"([^"\n]+)"|'([^'\n]+)'|([^#\s][^\n]*?))[ \t]*(?:[ \t]#.*)?\r?$""", text, re.MULTILINE
    )
    return next(filter(None, found.groups()), None) if found else None
