"""What edits are tried with."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from moderator.console.recent.store import Recent
from moderator.console.trials.backtests import Backtests
from moderator.console.trials.flips import FlipTrials
from moderator.console.trials.folder import TriedFolder
from moderator.console.trials.text import ReplicaScorer, TextScorer
from moderator.settings import Settings


class Trials(NamedTuple):
    """The parts.

    Attributes:
        scorer: None where typed text cannot be scored.
    """

    folder: TriedFolder
    flips: FlipTrials
    backtests: Backtests
    scorer: TextScorer | None


def make_trials(
    settings: Settings, recent: Recent, scorers: Sequence[str], now_ms: Callable[[], int], *, loads_model: bool = False
) -> Trials:
    """Make the parts of one console.

    Typed text is scored by the replicas at the addresses `scorers`, or with `loads_model` by the model that the
    settings name, in this process; else by nobody.

    Raises:
        ConfigurationError: the model cannot be used.
    """
    folder = TriedFolder(settings.policies.path, now_ms)
    return Trials(
        folder, FlipTrials(folder, recent), Backtests(), _scorer(settings, scorers, folder, loads_model=loads_model)
    )


def _scorer(settings: Settings, scorers: Sequence[str], folder: TriedFolder, *, loads_model: bool) -> TextScorer | None:
    if scorers and not loads_model:
        return ReplicaScorer(scorers, settings.console.scorer_token)
    if not loads_model:
        return None
    from moderator.console.trials.model import ModelScorer  # noqa: PLC0415 - without a model none of it is loaded

    return ModelScorer(settings, folder.policies)
