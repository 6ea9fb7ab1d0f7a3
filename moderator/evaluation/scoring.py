"""Raw scores of labelled events by one model: what the worst passage of each gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from moderator.evaluation.figures import Floats
from moderator.evaluation.labelled import LabelledEvent
from moderator.events import Scores
from moderator.scoring.engine import Engine

_BATCH = 256


def passage_scores(
    scorer: Engine, rows: Sequence[LabelledEvent], advance: Callable[[int], object]
) -> Iterator[Floats | None]:
    """Score events in the order given, all passages of each.

    Args:
        scorer: warmed up.
        rows: the events.
        advance: called with the number of events that were scored.

    Yields:
        (passages, k), in the order of the model's objectives; None where the model gave one of them no score.
    """
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        readings = scorer.read([row.event.conversation for row in batch])
        prompts = [passage.prompt for reading in readings for passage in reading.passages]
        scored = iter(scorer.score(prompts))
        for reading in readings:
            results = [next(scored) for _ in reading.passages]
            rewards = [result.rewards for result in results if isinstance(result, Scores)]
            yield np.array(rewards) if rewards and len(rewards) == len(results) else None
        advance(len(batch))


def raw_scores(
    scorer: Engine, rows: Sequence[LabelledEvent], high_is_good: Mapping[str, bool], advance: Callable[[int], object]
) -> Floats:
    """Score n events, each by its worst passage.

    Args:
        scorer: warmed up.
        rows: the events.
        high_is_good: by objective; of several passages the highest counts where it is not, else the lowest.
        advance: called with the number of events that were scored.

    Returns:
        (n, k), in the order of the model's objectives; NaN where the model gave no score.
    """
    objectives = scorer.identity.objectives
    takes_lowest = np.array([high_is_good.get(name, True) for name in objectives])
    found = np.full((len(rows), len(objectives)), np.nan)
    for at, values in enumerate(passage_scores(scorer, rows, advance)):
        if values is not None:
            found[at] = np.where(takes_lowest, values.min(0), values.max(0))
    return found
