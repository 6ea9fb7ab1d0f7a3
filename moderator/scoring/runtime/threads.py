"""With how many threads of a CPU a small network computes a pass: as many as pay, learned from its passes; pure.

A second thread takes a quarter to a half of the time off a large pass where a core is free. Where other processes use
the cores, each product waits until the system has scheduled every thread: on two busy cores the practice model took 130
to 2,200 ms for ten messages with two threads, and 30 to 97 ms with one. So more are tried only while one thread gets
the core that it asks for, the rarer the more often that has lost, and a trial ends with the first pass that is clearly
slower. Passes that somebody waits for have one thread: beside requests the stream's passes on two took up to 190 ms.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final, NamedTuple

_LARGE_WORK: Final = 1e9
"""Tokens times weights of a large pass, some ten milliseconds of one thread. A smaller one gains nothing anywhere."""
_TRIAL_PASSES: Final = 3
_FIRST_INTERVAL: Final = 8
"""Large passes before more threads are tried, doubled each time they lose; so many are compared with the trial."""
_LONGEST_INTERVAL: Final = 512
_INTERVAL_OF_FEWER: Final = 64
"""Large passes before fewer threads are tried."""
_CLEARLY_SLOWER: Final = 1.5
_FASTER: Final = 0.85
"""Texts of other lengths take a tenth more or less a token; where a number pays, it pays more than that."""
_GETS_ITS_CORE: Final = 0.85
"""Least share of the time of passes in which the thread computed, for more threads to be tried: it was 0.96 in a
backlog on two cores that Kafka shared, and at least 0.88 in any eight passes.
"""


class _Pass(NamedTuple):
    tokens: int
    seconds: float
    cpu_seconds: float


class ThreadChoice:
    """Learns from each pass how many threads the next may have, in turn with it: `threads`, pass, `observe`.

    Args:
        most: threads, at least 1; powers of two up to it are chosen from, and one comes first.
        weights: how many numbers the network has.
    """

    def __init__(self, most: int, weights: int) -> None:
        self._most = most
        self._large_tokens = _LARGE_WORK / weights
        self._tried = 0  # how many threads are on trial; 0: none
        self._trial: list[_Pass] = []
        self._fewer_need = inf  # seconds a token, of the next smaller number; known once it was tried
        self._use(1, ())

    def threads(self, tokens: int) -> int:
        """Give the number of threads for a pass of so many tokens."""
        return 1 if tokens < self._large_tokens else self._tried or self._count

    def observe(self, tokens: int, seconds: float, cpu_seconds: float) -> None:
        """Learn how long the last pass took, and how long the calling thread computed meanwhile."""
        if tokens < self._large_tokens:
            return
        last = _Pass(tokens, seconds, cpu_seconds)
        if self._tried:
            self._trial.append(last)
            self._judge_trial()
        else:
            self._usual.append(last)
            self._passes += 1
            self._tried = self._due()

    def _use(self, count: int, passes: Iterable[_Pass]) -> None:
        self._count = count
        self._usual = deque(passes, _FIRST_INTERVAL)
        self._passes = 0
        self._interval = self._more_at = _FIRST_INTERVAL
        self._fewer_at = _INTERVAL_OF_FEWER

    def _due(self) -> int:
        """Give the number that is to be tried next; 0: none yet."""
        more, fewer = self._count * 2, self._count // 2
        if fewer and _seconds_a_token([self._usual[-1]]) > self._fewer_need * _CLEARLY_SLOWER:
            return fewer
        if more <= self._most and self._passes >= self._more_at and _gets_its_core(self._usual):
            return more
        return fewer if self._passes >= self._fewer_at else 0

    def _judge_trial(self) -> None:
        usual, trial = _seconds_a_token(self._usual), _seconds_a_token(self._trial)
        if trial <= usual * _CLEARLY_SLOWER and len(self._trial) < _TRIAL_PASSES:
            return
        if trial < usual * _FASTER:
            self._fewer_need = usual if self._tried > self._count else inf
            self._use(self._tried, self._trial)
        elif self._tried > self._count:
            self._interval = min(2 * self._interval, _LONGEST_INTERVAL)
            self._more_at = self._passes + self._interval
        else:
            self._fewer_need = trial
            self._fewer_at = self._passes + _INTERVAL_OF_FEWER
        self._trial = []
        self._tried = 0


def _seconds_a_token(passes: Sequence[_Pass]) -> float:
    return sum(each.seconds for each in passes) / sum(each.tokens for each in passes)


def _gets_its_core(passes: Iterable[_Pass]) -> bool:
    return sum(each.cpu_seconds - each.seconds * _GETS_ITS_CORE for each in passes) >= 0
