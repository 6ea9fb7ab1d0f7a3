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


def make_trials(settings: Settings, recent: Recent, scorers: Sequence[str], now_ms: Callable[[], int]) -> Trials:
    """Make the parts of one console; `scorers` are addresses of replicas that score typed text, if there are any."""
    folder = TriedFolder(settings.policies.path, now_ms)
    scorer = ReplicaScorer(scorers, settings.console.scorer_token) if scorers else None
    return Trials(folder, FlipTrials(folder, recent), Backtests(), scorer)
