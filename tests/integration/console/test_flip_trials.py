"""Whose edit is compared, and whose is given up."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from moderator.console.recent.decision import RecentDecision
from moderator.console.recent.store import Recent
from moderator.console.trials.flips import FlipTrials
from moderator.console.trials.folder import TriedFolder
from moderator.playground.flips import SupersededError
from moderator.policy import load_policies
from tests.unit.backtest.decisions import some_recorded
from tests.unit.policy.folders import a_folder, a_policy
from tests.waiting import PATIENCE_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path, a_policy())


def trials_over(recent: Recent, folder: Path) -> FlipTrials:
    recent.add_decisions(some_recorded(load_policies(folder), [0.1] * 100) * 10)
    return FlipTrials(TriedFolder(folder, lambda: 0), recent)


class HoldsTheFirst(Recent):
    """Lets whoever asks first wait for its decisions."""

    def __init__(self, *given: int) -> None:
        super().__init__(*given)
        self.was_asked, self.goes_on = threading.Event(), threading.Event()

    @property
    def decisions(self) -> Sequence[RecentDecision]:
        if not self.was_asked.is_set():
            self.was_asked.set()
            assert self.goes_on.wait(PATIENCE_S)
        return super().decisions


def test_a_newer_edit_of_the_same_person_gives_up_the_older_one(folder: Path) -> None:
    given_up, recent = threading.Event(), HoldsTheFirst(10_000, 100_000_000)
    trials = trials_over(recent, folder)

    def older() -> None:
        try:
            trials.run({}, "ana")
        except SupersededError:
            given_up.set()

    thread = threading.Thread(target=older)
    thread.start()
    assert recent.was_asked.wait(PATIENCE_S)

    newer = trials.run({}, "ana")

    recent.goes_on.set()
    thread.join()
    assert newer.events.count == 1_000
    assert given_up.is_set()


def test_edits_of_two_people_are_both_compared(folder: Path) -> None:
    trials = trials_over(Recent(10_000, 100_000_000), folder)
    counts = []
    threads = [
        threading.Thread(target=lambda name=name: counts.append(trials.run({}, name).events.count))
        for name in ("ana", "ben")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [1_000, 1_000]
