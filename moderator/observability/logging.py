"""Logs: one JSON object a line on stderr, ours and the libraries' alike. Never a message's text."""

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import Processor

from moderator.observability.throttle import Throttle

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

OURS = "moderator"

# Below INFO these write what they carry: record values, prompts, commands.
WORDY_LOGGERS = ("kafka", "transformers", "redis", "uvicorn", "httpx", "httpcore", "asyncio")

# Kafka's client warns here of nothing that an operator could fix: when a busy machine holds up its thread, and when it
# assigns partitions before it has read the topic's metadata, after which it assigns them again.
NERVOUS_LOGGERS = ("kafka.net.selector", "kafka.coordinator.assignors")


def configure_logging(
    level: str,
    stream: TextIO | None = None,
    *,
    libraries: str = "warning",
    monotonic_s: Callable[[], float] = time.monotonic,
) -> None:
    """Send all logs of this process to `stream`, replacing what was configured before.

    Args:
        level: `debug`, `info`, `warning` or `error`, of our own lines.
        stream: stderr by default.
        libraries: the lowest level of other lines, `info` or above; never below `level`.
        monotonic_s: the clock by which repeated lines are left out.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter())
    handler.addFilter(_is_not_from_closing)
    handler.addFilter(Throttle(monotonic_s))
    lowest = max(LEVELS[level], LEVELS[libraries], logging.INFO)
    logging.basicConfig(level=lowest, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(LEVELS[level])
    logging.captureWarnings(True)
    for name in WORDY_LOGGERS:
        library = logging.getLogger(name)
        library.setLevel(lowest)
        library.propagate = True  # transformers turns it off when it is imported
    for name in NERVOUS_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _is_not_from_closing(record: logging.LogRecord) -> bool:
    """Check that a line is not that of a client that is closed while it asks for metadata: it logs that as an error."""
    reasons = record.args if isinstance(record.args, tuple) else ()
    return not (record.name == "kafka.cluster" and any(type(each).__name__ == "Cancelled" for each in reasons))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give the logger of a module; `name` is its `__name__`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder(allow=["repeated"])],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,  # a traceback without the values of variables
            structlog.processors.JSONRenderer(),
        ],
    )
