"""The scoring thread: owns the scorer and the score cache, takes one window at a time, gives them back in order."""

import queue
import threading

from moderator.pipeline.moderation import ScoredWindow, score_window
from moderator.pipeline.ports import Clock, ScoreCache, Scorer
from moderator.pipeline.window import Window


class ScoringThread:
    """Scores windows beside the stream's thread; two one-slot queues bound what is in flight."""

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
        """Windows submitted and not yet taken back."""
        return self._in_flight

    @property
    def has_room(self) -> bool:
        """A window can be submitted without waiting."""
        return self._in_flight == 0

    def submit(self, window: Window) -> None:
        """Hand over a window; call only while `has_room`."""
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
        """Let the thread end after the window it works on; it dies with the process in any case."""
        if self._in_flight == 0:
            self._to_score.put_nowait(None)

    def _score_all(self) -> None:
        while (window := self._to_score.get()) is not None:
            try:
                self._scored.put(score_window(window, self._scorer, self._cache, self._clock))
            except BaseException as error:  # noqa: BLE001 - raised again on the stream's thread
                self._scored.put(error)
                return
