"""The report on a fit: what was learned from what, and how good each objective is on held-out rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moderator.events import ModelIdentity
from moderator.probing.features import Features
from moderator.probing.split import Split


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was fitted.

    Attributes:
        backbone: what was read.
        rows: labelled events in the file.
        learned, held_out: rows of each kind.
        left_out: how many rows are neither, by reason.
        seed: of the split.
        objectives: figures of each by name, as `--json` prints them.
    """

    backbone: ModelIdentity
    rows: int
    learned: int
    held_out: int
    left_out: Mapping[str, int]
    seed: int
    objectives: Mapping[str, dict[str, Any]]

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON object."""
        model = self.backbone
        named = {"name": model.name, "fingerprint": model.fingerprint, "dtype": model.dtype, "framing": model.framing}
        return {
            "backbone": named,
            "rows": self.rows,
            "learned": self.learned,
            "held_out": self.held_out,
            "left_out": dict(self.left_out),
            "seed": self.seed,
            "objectives": dict(self.objectives),
        }


def report_of(features: Features, split: Split, seed: int, objectives: Mapping[str, dict[str, Any]]) -> ProbeReport:
    """Count the rows; those that are left out are of several passages, without a score, or repeated."""
    return ProbeReport(
        features.backbone,
        len(features.rows) + features.in_passages + features.unscored,
        int(split.learned.sum()),
        int(split.held_out.sum()),
        {"in_passages": features.in_passages, "unscored": features.unscored, "repeated": split.repeated},
        seed,
        objectives,
    )
