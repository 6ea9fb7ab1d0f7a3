"""What names in a policy or test may refer to, gathered while a folder is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moderator.policy.model import Calibration, Settings, Signal
from moderator.policy.problems import Report, Span


@dataclass(frozen=True, slots=True)
class Context:
    """The folder's names so far.

    Attributes:
        settings: None when settings.yaml could not be read; its names are then not checked.
        signals: by name, at least one; None for one that has an error of its own; None as a whole likewise.
        calibrations: by model name, in the order written; tests take the typical scores of the first.
        policies: where each policy's name stands.
        rules: policy name -> rule name -> where it stands; rules with errors too.
    """

    settings: Settings | None
    signals: Mapping[str, Signal | None] | None
    calibrations: Mapping[str, Calibration]
    report: Report
    policies: dict[str, Span] = field(default_factory=dict)
    rules: dict[str, dict[str, Span]] = field(default_factory=dict)
