"""Repeated log lines: one a minute, and the next one says how many were left out."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

EVERY_S: Final = 60.0
_EXPLANATIONS: Final = ("level", "logger", "timestamp", "cause", "error", "hint", "reason")
"""They may differ from one line to the next about the same thing."""
_NUMBERED: Final = ("partition", "worker")
"""Numbers that name a subject; all others are measurements."""
_EACH_COUNTS: Final = frozenset({"events_lost", "log_truncated", "topic_recreated"})
"""Warnings that are never left out: each gives offsets that no other line gives, and is made once."""
_MOST_KEPT: Final = 1_000
_ANY_TEXT: Final = "%s"


class Throttle(logging.Filter):
    """Lets each library's line through once a minute by logger and template, and each warning of ours by subject.

    What passes carries `repeated` where equal lines were left out before it.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._passed_at_s: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Check whether the line is written."""
        key = _key(record)
        if key is None:
            return True
        with self._lock:
            now_s = self._monotonic_s()
            if now_s - self._passed_at_s.get(key, -EVERY_S) < EVERY_S:
                self._left_out[key] = self._left_out.get(key, 0) + 1
                return False
            self._forget_old(now_s)
            self._passed_at_s[key] = now_s
            repeated = self._left_out.pop(key, 0)
        if repeated:
            _mark(record, repeated)
        return True

    def _forget_old(self, now_s: float) -> None:
        """Keep memory bounded; a line without a fixed template would otherwise be remembered forever."""
        if len(self._passed_at_s) >= _MOST_KEPT:
            self._passed_at_s = {key: at_s for key, at_s in self._passed_at_s.items() if now_s - at_s < EVERY_S}
            self._left_out = {key: count for key, count in self._left_out.items() if key in self._passed_at_s}


def _key(record: logging.LogRecord) -> Hashable | None:
    """Name what the line is about; None: it is always written."""
    ours: Any = record.msg
    if isinstance(ours, Mapping):
        is_left_out = record.levelno == logging.WARNING and ours.get("event") not in _EACH_COUNTS
        return (ours.get("event"), *_subject(ours)) if is_left_out else None
    is_any_text = record.msg == _ANY_TEXT  # as the warnings of Python itself
    return record.name, record.getMessage() if is_any_text else record.msg


def _subject(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    return [
        (name, str(value))
        for name, value in sorted(fields.items())
        if name in _NUMBERED or (isinstance(value, str) and name not in _EXPLANATIONS)
    ]


def _mark(record: logging.LogRecord, repeated: int) -> None:
    ours: Any = record.msg
    if isinstance(ours, Mapping):
        record.msg = {**ours, "repeated": repeated}
    else:
        record.repeated = repeated
