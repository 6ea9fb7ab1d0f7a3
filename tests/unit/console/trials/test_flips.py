"""Whose edit is compared, and whose is given up."""

import threading
from pathlib import Path

import pytest

from moderator.console.recent.store import Recent
from moderator.console.trials.flips import FlipTrials
from moderator.console.trials.folder import TriedFolder
from moderator.playground.flips import SupersededError
from moderator.policy import load_policies
from tests.unit.backtest.decisions import some_recorded
from tests.unit.policy.folders import a_folder, a_policy


@pytest.fixture
def trials(tmp_path: Path) -> FlipTrials:
    folder = a_folder(tmp_path, a_policy())
    recent = Recent(10_000, 100_000_000)
    recent.add_decisions(some_recorded(load_policies(folder), [0.1] * 400) * 10)
    return FlipTrials(TriedFolder(folder, lambda: 0), recent)


def test_a_newer_edit_of_the_same_person_gives_up_the_older_one(trials: FlipTrials) -> None:
    given_up = threading.Event()

    def older() -> None:
        try:
            trials.run({}, "ana")
        except SupersededError:
            given_up.set()

    thread = threading.Thread(target=older)
    thread.start()
    while not trials._newest["ana"]:
        pass

    assert trials.run({}, "ana").events.count == 4_000
    thread.join()
    assert given_up.is_set()


def test_edits_of_two_people_are_both_compared(trials: FlipTrials) -> None:
    counts = []
    threads = [
        threading.Thread(target=lambda name=name: counts.append(trials.run({}, name).events.count))
        for name in ("ana", "ben")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [4_000, 4_000]
