"""What names in a policy or test may refer to, gathered while a folder is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moderator.policy.language.ast import Calibration, FolderSettings, Signal, Texts
from moderator.policy.syntax.diagnostics import Diagnostics, Span


@dataclass(frozen=True, slots=True)
class Context:
    """The folder's names so far.

    Attributes:
        settings: None when settings.yaml could not be read; its names are then not checked.
        signals: by name, at least one; None for one with an error; None instead of the mapping when it is empty.
        calibrations: by model name, in the order written; tests take the typical scores of the first.
        policies: where each policy's name is written.
        rules: policy name -> rule name -> where it is written; rules with errors too.
        texts: of texts.yaml by key; None where there is no such file, or it could not be read.
        literals: field -> the values that rules and exemptions compare it with, and where; the fields of which every
            value is known are left out.
        tested: field -> the values that tests give it.
        notified: the keys of texts that rules name.
        unnamed: policies with a rule whose name could not be read; None: a policy's own name could not be read. That
            error is reported, so an unknown name is taken to be one of these and not reported again.
    """

    settings: FolderSettings | None
    signals: Mapping[str, Signal | None] | None
    calibrations: Mapping[str, Calibration]
    diagnostics: Diagnostics
    policies: dict[str, Span] = field(default_factory=dict)
    rules: dict[str, dict[str, Span]] = field(default_factory=dict)
    texts: Texts | None = None
    literals: dict[str, list[tuple[str, Span]]] = field(default_factory=dict)
    tested: dict[str, list[str]] = field(default_factory=dict)
    notified: set[str] = field(default_factory=set)
    unnamed: set[str | None] = field(default_factory=set)

    def may_be_policy(self, name: str) -> bool:
        """Whether there is a policy of that name, or one without a readable name."""
        return name in self.policies or None in self.unnamed

    def may_be_rule(self, policy: str, rule: str) -> bool:
        """Whether there is a rule of that name in a policy, or one without a readable name."""
        if policy not in self.rules:
            return None in self.unnamed
        return rule in self.rules[policy] or policy in self.unnamed
