"""The report on a model: figures by objective, by group, and by how much context is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moderator.errors import ConfigurationError
from moderator.evaluation.figures import Floats, Truths, at_limit, auc, ranking, rounded
from moderator.evaluation.labelled import LabelledEvent
from moderator.evaluation.limits import Limit
from moderator.events import ModelIdentity

LEAST_OF_A_GROUP = 20
HALF = 0.5
"""A label of as much or more is a 1."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Attributes:
        rows, unscored: labelled events, and those of them that the model gave no score.
        objectives: by name, as `--json` prints them.
        context: one row for each number of turns that was tried.
    """

    model: ModelIdentity
    rows: int
    unscored: int
    objectives: Mapping[str, dict[str, Any]]
    context: Sequence[dict[str, Any]] = field(default_factory=list)

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON object."""
        model = self.model
        named = {"name": model.name, "fingerprint": model.fingerprint, "dtype": model.dtype, "framing": model.framing}
        fields = {"model": named, "rows": self.rows, "unscored": self.unscored, "objectives": dict(self.objectives)}
        return fields | ({"context": list(self.context)} if self.context else {})


def evaluate(
    model: ModelIdentity,
    rows: Sequence[LabelledEvent],
    scores: Floats,
    limits: Sequence[Limit],
    by: Sequence[str] = (),
) -> Evaluation:
    """Measure each labelled objective, over all rows and by group.

    Args:
        model: what scored.
        rows: n labelled events.
        scores: (n, k), NaN without a score.
        limits: of any objective.
        by: fields of events, such as `locale` and `metadata.x`, or `group`; groups of 20 rows and more are measured.

    Raises:
        ConfigurationError: an objective is labelled that the model lacks, or there is no such field.
    """
    require_objectives(model, rows)
    objectives = {}
    for name in _labelled_objectives(rows):
        column = scores[:, model.objectives.index(name)]
        of_name = [limit for limit in limits if limit.objective == name]
        is_scored = ~np.isnan(column)
        objectives[name] = _figures(name, rows, column, is_scored, of_name)
        if by:
            labelled = np.array([name in row.labels for row in rows]) & is_scored
            groups = dict(_groups(rows, labelled, by))
            objectives[name]["groups"] = {
                group: _figures(name, rows, column, members, of_name) for group, members in groups.items()
            }
    unscored = int(np.isnan(scores).all(axis=1).sum())
    return Evaluation(model, len(rows), unscored, objectives)


def require_fields(by: Sequence[str]) -> None:
    """Refuse a field that events do not have.

    Raises:
        ConfigurationError: there is no such field.
    """
    for name in by:
        _reader(name)


def context_rows(
    model: ModelIdentity,
    rows: Sequence[LabelledEvent],
    scores: Floats,
    others: Floats,
    limits: Sequence[Limit],
    *,
    turns: str,
) -> list[dict[str, Any]]:
    """Measure each labelled objective where other turns are read before the judged one.

    Args:
        model: what scored.
        rows: n labelled events.
        scores: (n, k), as events are read, NaN without a score.
        others: (n, k), as they are read with so many turns.
        limits: of any objective.
        turns: how many, for the table.
    """
    found = []
    for name in _labelled_objectives(rows):
        at = model.objectives.index(name)
        members, is_one = _labelled(name, rows, ~np.isnan(others[:, at]))
        of_name = [limit for limit in limits if limit.objective == name]
        value = auc(others[members, at], is_one)
        figures: dict[str, Any] = {
            "turns": turns,
            "objective": name,
            "auc": None if np.isnan(value) else rounded(value),
        }
        found.append(figures | _moved(others[:, at], scores[:, at], of_name))
    return found


def _moved(scores: Floats, others: Floats, limits: Sequence[Limit]) -> dict[str, float]:
    """Say how far the scores of one objective move from `others`, and which share of them crosses a limit."""
    both = ~np.isnan(scores) & ~np.isnan(others)
    crosses = np.zeros(int(both.sum()), dtype=np.bool_)
    for limit in limits:
        crosses |= limit.flags(scores[both]) != limit.flags(others[both])
    return {
        "mean_difference": float(np.abs(scores[both] - others[both]).mean()) if both.any() else 0.0,
        "crosses_a_limit": float(crosses.mean()) if len(crosses) else 0.0,
    }


def require_objectives(model: ModelIdentity, rows: Sequence[LabelledEvent]) -> None:
    """Refuse labels that the model gives no score for.

    Raises:
        ConfigurationError: an objective is labelled that the model lacks.
    """
    lacking = sorted({name for row in rows for name in row.labels} - set(model.objectives))
    if lacking:
        raise ConfigurationError(
            f"the labels name `{lacking[0]}`, which the model `{model.name}` does not have; "
            f"it has {', '.join(model.objectives)}"
        )


def _figures(
    name: str, rows: Sequence[LabelledEvent], column: Floats, chosen: Truths, limits: Sequence[Limit]
) -> dict[str, Any]:
    members, is_one = _labelled(name, rows, chosen)
    scores = column[members]
    ranks = ranking(scores, is_one, [rows[at].unit for at in members])
    return {
        "rows": len(members),
        "ones": int(is_one.sum()),
        "auc": rounded(ranks.auc),
        "auc_low": rounded(ranks.auc_low),
        "auc_high": rounded(ranks.auc_high),
        "average_precision": rounded(ranks.average_precision),
        "limits": [_at(limit, scores, is_one) for limit in limits],
    }


def _labelled_objectives(rows: Sequence[LabelledEvent]) -> list[str]:
    return sorted({name for row in rows for name in row.labels})


def _labelled(name: str, rows: Sequence[LabelledEvent], chosen: Truths) -> tuple[list[int], Truths]:
    """Give which of the chosen rows are labelled for an objective, and which of those are labelled 1."""
    members = [at for at in np.flatnonzero(chosen).tolist() if name in rows[at].labels]
    return members, np.array([rows[at].labels[name] >= HALF for at in members], dtype=np.bool_)


def _at(limit: Limit, scores: Floats, is_one: Truths) -> dict[str, Any]:
    counted = at_limit(limit.flags(scores), ~is_one if limit.is_high_good else is_one)
    shares = {name: rounded(share) for name, share in counted.shares.items()}
    return {"limit": float(limit.number), "from": limit.source, "flagged": counted.flagged, **shares}


def _groups(rows: Sequence[LabelledEvent], labelled: Truths, by: Sequence[str]) -> Iterator[tuple[str, Truths]]:
    for name in by:
        read = _reader(name)
        values = [read(row) for row in rows]
        for value in sorted({value for value in values if value is not None}):
            members = labelled & np.array([each == value for each in values])
            if members.sum() >= LEAST_OF_A_GROUP:
                yield f"{name}={value}", members


def _reader(name: str) -> Callable[[LabelledEvent], str | None]:
    if name == "group":
        return lambda row: row.group
    if name.startswith("metadata."):
        key = name.removeprefix("metadata.")
        return lambda row: _text((row.event.metadata or {}).get(key))
    if name in {"tenant", "channel", "locale", "role", "user", "speaker"}:
        return lambda row: _text(getattr(row.event, name))
    raise ConfigurationError(
        f"`--by {name}`: there is no such field; name group, speaker, tenant, channel, locale, role, user, metadata.KEY"
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
