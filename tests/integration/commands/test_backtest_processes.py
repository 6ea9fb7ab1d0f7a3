"""Backtests whose work is shared by processes: they find what one finds, and tell what goes wrong in another."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from moderator.backtest.batches import Lines, ranges_of
from moderator.backtest.labels import NO_LABELS
from moderator.backtest.processes import count_all
from moderator.backtest.run import Backtest, Plan
from moderator.errors import ConfigurationError, StoppedError
from moderator.events import Decision
from moderator.policy import PolicySet
from tests.unit.backtest.decisions import USUAL, changed, recorded, some_recorded, write_lines
from tests.unit.policy.folders import a_policy, a_rule, a_set


@pytest.fixture
def policies(tmp_path: Path) -> PolicySet:
    return a_set(tmp_path / "policies", a_policy())


def test_two_processes_find_what_one_finds(tmp_path: Path, policies: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule("safety: below 0.5")))
    decisions = some_recorded(policies, [nth / 100 for nth in range(100)])
    file = write_lines(tmp_path / "decisions.jsonl", [*decisions, changed(recorded(policies, *USUAL), verdict="flag")])
    make = partial(Backtest, Plan(policies, candidate, NO_LABELS, "safety"))
    size = file.stat().st_size
    done: list[int] = []

    one, two = (
        count_all(make, ranges_of(file, size, size // 7), processes=processes, advance=done.append)
        for processes in (1, 2)
    )

    assert one.flips == two.flips
    assert one.curves == two.curves
    assert one.nearest == two.nearest
    assert one.fidelity.unreproduced == two.fidelity.unreproduced
    assert sum(done) == 2 * size


def test_an_invalid_value_in_another_process_is_reported_with_its_line(tmp_path: Path, policies: PolicySet) -> None:
    decisions = some_recorded(policies, [nth / 100 for nth in range(60)])
    decisions[44] = b"{"
    file = write_lines(tmp_path / "decisions.jsonl", decisions)
    make = partial(Backtest, Plan(policies, policies, NO_LABELS))

    with pytest.raises(ConfigurationError, match=r"decisions.jsonl` line 45: not JSON"):
        count_all(make, ranges_of(file, file.stat().st_size, 4_096), processes=2, advance=lambda _: None)


def test_those_who_share_the_work_leave_an_interrupt_to_us_from_their_first_moment(
    tmp_path: Path, policies: PolicySet
) -> None:
    batch = Lines("standard input", [recorded(policies, *USUAL)], 1)
    ignored: list[int] = []

    def batches() -> Iterator[Lines]:
        yield batch
        yield batch
        for process in active_children():  # just started; the first two batches are under way
            status = Path(f"/proc/{process.pid}/status").read_text()
            ignored.append(int(status.partition("SigIgn:")[2].split()[0], 16) >> (signal.SIGINT - 1) & 1)
        yield batch

    handler = signal.getsignal(signal.SIGINT)
    make = partial(Backtest, Plan(policies, policies, NO_LABELS))
    counts = count_all(make, batches(), processes=3, advance=lambda _: None)

    assert (counts.fidelity.compared, ignored) == (3, [1, 1, 1])
    assert signal.getsignal(signal.SIGINT) is handler


class Dying:
    """A study whose process ends at once."""

    counted = None

    def add(self, position: tuple[int, int], decision: Decision) -> None:
        os._exit(9)


def test_a_process_that_ends_unexpectedly_is_reported(policies: PolicySet) -> None:
    batch = Lines("standard input", [recorded(policies, *USUAL)], 1)

    with pytest.raises(StoppedError, match="has ended"):
        count_all(Dying, [batch, batch], processes=2, advance=lambda _: None)  # type: ignore[type-var]


def command_on(tmp_path: Path, policies: PolicySet) -> list[str]:
    file = write_lines(tmp_path / "decisions.jsonl", some_recorded(policies, [0.1, 0.9]))
    folder = str(tmp_path / "policies")
    options = ("--baseline", folder, "--candidate", folder, "--events", str(file))
    return [sys.executable, "-m", "moderator", "policy", "backtest", *options]


def test_a_reader_who_has_left_is_no_bad_policy(tmp_path: Path, policies: PolicySet) -> None:
    read, write = os.pipe()
    os.close(read)

    ran = subprocess.run(command_on(tmp_path, policies), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (ran.returncode, ran.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_does_no_harm(tmp_path: Path, policies: PolicySet, closed: str) -> None:
    command = ["sh", "-c", f'"$@" {closed}', "sh", *command_on(tmp_path, policies)]

    ran = subprocess.run(command, capture_output=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, b"")
