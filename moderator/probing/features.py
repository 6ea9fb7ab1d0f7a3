"""What a probe learns from: a backbone, and its hidden states of labelled events that one reading holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moderator.errors import ConfigurationError
from moderator.evaluation.figures import Floats
from moderator.evaluation.labelled import LabelledEvent
from moderator.evaluation.scoring import passage_scores
from moderator.events import ModelIdentity
from moderator.probes import added_to
from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Features:
    """Labelled events and what the backbone's head reads of each.

    Attributes:
        backbone: what read them.
        rows: n events that one reading holds.
        hidden: (n, h).
        in_passages: how many were left out because they are read in several passages.
        unscored: how many were left out because the model gave no score.
    """

    backbone: ModelIdentity
    rows: Sequence[LabelledEvent]
    hidden: Floats
    in_passages: int
    unscored: int


def require_backbone(settings: ModelSettings, added: Sequence[str], where: str) -> None:
    """Refuse a model that cannot be one, before its weights are read.

    Args:
        settings: name the model.
        added: objectives to learn.
        where: of their names, for errors.

    Raises:
        ConfigurationError: it cannot be opened, is a probe itself, or has one of the objectives already.
    """
    opened = open_model(str(settings.path), settings)
    if opened.probe is not None:
        backbone = opened.probe.base_path
        raise ConfigurationError(
            f"`{settings.path}` is a probe itself: name its backbone `{backbone}`, and put all objectives into one file"
        )
    added_to(opened.objectives, added, where)


def read_features(
    scorer: Engine, own: int, rows: Sequence[LabelledEvent], advance: Callable[[int], object]
) -> Features:
    """Read events as in serving.

    Args:
        scorer: warmed up, with the hidden state as objectives behind its `own` ones; see `load_hidden_reader`.
        own: objectives of the backbone.
        rows: the events.
        advance: called with the number of events that were read.
    """
    kept, hidden = [], []
    in_passages = unscored = 0
    for row, passages in zip(rows, passage_scores(scorer, rows, advance), strict=True):
        if passages is None:
            unscored += 1
        elif len(passages) > 1:
            in_passages += 1
        else:
            kept.append(row)
            hidden.append(passages[0, own:])
    identity = scorer.identity
    width = len(identity.objectives) - own
    backbone = replace(identity, objectives=identity.objectives[:own])
    return Features(backbone, kept, np.array(hidden).reshape(len(kept), width), in_passages, unscored)
