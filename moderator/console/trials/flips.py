"""What an edit would change, for several people at once: whoever sends a newer edit gives up the older one."""

import threading
from collections import Counter

from moderator.backtest.labels import NO_LABELS
from moderator.backtest.report.summary import backtest_report
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Backtest, Plan
from moderator.console.recent.store import Recent
from moderator.console.trials.folder import TriedFolder
from moderator.playground.edits import NO_BASES, Bases, Edits
from moderator.playground.flips import SupersededError, flips


class FlipTrials:
    """Compares edits over the decisions that are held, one at a time for each person."""

    def __init__(self, folder: TriedFolder, recent: Recent) -> None:
        self._folder = folder
        self._recent = recent
        self._newest: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self, edits: Edits, person: str, bases: Bases = NO_BASES) -> BacktestReport:
        """Compare the folder with an edit of it.

        Raises:
            SupersededError: the person sent a newer edit meanwhile.
            EditError, OutdatedError, NotUsableError, FolderAwayError: see `TriedFolder`.
            PolicyError: a set does not suit a model that scored.
        """
        with self._lock:
            self._newest[person] += 1
            mine = self._newest[person]

        def is_wanted() -> bool:
            return self._newest[person] == mine

        folder, edit = self._folder.policies(), self._folder.edited(edits, bases)
        decisions = [each.value for each in self._recent.decisions]
        if not is_wanted():
            raise SupersededError
        if not decisions:
            return _nothing(Plan(folder, edit, NO_LABELS), (str(self._folder.path), "edit"))
        return flips(folder, edit, decisions, (str(self._folder.path), "edit"), is_wanted)


def _nothing(plan: Plan, folders: tuple[str, str]) -> BacktestReport:
    return backtest_report(plan, Backtest(plan).counted, "held decisions", folders)
