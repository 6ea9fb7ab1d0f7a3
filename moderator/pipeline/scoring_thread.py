"""The scoring thread: owns the scorer and the score cache, scores one window at a time, returns them in order."""

import contextlib
import queue
import threading

from moderator.pipeline.moderation import ScoredWindow, Window, score_window
from moderator.pipeline.ports import Clock, ScoreCache, Scorer

CLOSE_TIMEOUT_S = 5.0


class ScoringThread:
    """Scores windows while the stream's thread polls and publishes; two one-slot queues bound what is in flight."""

    def __init__(self, scorer: Scorer, cache: ScoreCache, clock: Clock) -> None:
        self._scorer = scorer
        self._cache = cache
        self._clock = clock
        self._to_score: queue.Queue[Window | None] = queue.Queue(maxsize=1)
        self._scored: queue.Queue[ScoredWindow | BaseException] = queue.Queue(maxsize=1)
        self._in_flight = 0
        self._thread = threading.Thread(target=self._score_all, name="scoring", daemon=True)
        self._thread.start()

    @property
    def in_flight(self) -> int:
        """How many windows were submitted and not yet taken."""
        return self._in_flight

    @property
    def has_room(self) -> bool:
        """A window can be submitted without waiting."""
        return self._in_flight == 0

    def submit(self, window: Window) -> None:
        """Pass a window on; call only while `has_room`."""
        self._to_score.put_nowait(window)
        self._in_flight += 1

    def take(self, timeout_s: float) -> ScoredWindow | None:
        """Give the next scored window, in the order submitted; None when it is not done within `timeout_s`.

        Raises:
            ModeratorError: what scoring raised.
        """
        try:
            result = self._scored.get(timeout=timeout_s) if timeout_s > 0 else self._scored.get_nowait()
        except queue.Empty:
            return None
        self._in_flight -= 1
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Let the thread end after its present window, and wait a few seconds for that.

        A thread that runs device code while the interpreter exits would abort the process.
        """
        with contextlib.suppress(queue.Full):
            self._to_score.put(None, timeout=CLOSE_TIMEOUT_S)
            self._thread.join(CLOSE_TIMEOUT_S)

    def _score_all(self) -> None:
        while (window := self._to_score.get()) is not None:
            try:
                self._scored.put(score_window(window, self._scorer, self._cache, self._clock))
            except BaseException as error:  # noqa: BLE001 - raised again on the stream's thread
                self._scored.put(error)
                return
