"""What a log line looks like, and what never gets into one."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from moderator.observability.logging import WORDY_LOGGERS, configure_logging, get_logger


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    names = [root, *map(logging.getLogger, WORDY_LOGGERS)]
    levels, handlers = [logger.level for logger in names], root.handlers[:]
    propagates = [logger.propagate for logger in names]
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    for logger, level, does_propagate in zip(names, levels, propagates, strict=True):
        logger.setLevel(level)
        logger.propagate = does_propagate


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _refuse(content: str) -> None:
    raise RuntimeError(f"{len(content)} characters are too many")


def test_a_log_is_one_json_line_with_utc_time_level_and_logger() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)

    get_logger("moderator.stream").info("window_published", events=512, error="a\nb")

    [line] = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "window_published",
        "level": "info",
        "logger": "moderator.stream",
        "events": 512,
        "error": "a\nb",
    }


def test_a_library_s_log_looks_like_ours() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)

    logging.getLogger("somebody").warning("went %s", "wrong")

    [line] = _lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("went wrong", "warning", "somebody")


def test_a_library_that_keeps_its_logs_to_itself_is_heard_all_the_same() -> None:
    stream = io.StringIO()
    logging.getLogger("transformers").propagate = False

    configure_logging("info", stream)
    logging.getLogger("transformers.modeling").warning("went wrong")

    assert [line["event"] for line in _lines(stream)] == ["went wrong"]


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    configure_logging("warning", stream)

    get_logger("moderator").info("quiet")
    logging.getLogger("somebody").info("quiet")

    assert _lines(stream) == []


@pytest.mark.parametrize("name", ["kafka.conn", "transformers.modeling", "redis.connection"])
def test_libraries_that_log_content_at_debug_never_go_below_info(name: str) -> None:
    stream = io.StringIO()
    configure_logging("debug", stream)

    logging.getLogger(name).debug("value: I hate you")
    logging.getLogger(name).info("connected")
    get_logger("moderator").debug("loud")

    assert [line["event"] for line in _lines(stream)] == ["connected", "loud"]


def test_a_traceback_shows_no_values_of_variables() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)

    try:
        _refuse("I hate " + "you")
    except RuntimeError:
        get_logger("moderator").exception("crashed")

    [line] = _lines(stream)
    assert "RuntimeError: 10 characters are too many" in line["exception"]
    assert "I hate you" not in stream.getvalue()


def test_warnings_become_log_lines() -> None:
    stream = io.StringIO()
    logging.captureWarnings(False)  # an earlier test may have left it on

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", stream)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert [line["logger"] for line in _lines(stream)] == ["py.warnings"]


@pytest.mark.parametrize("value", ["\ud800", 2**70, object, {1: 2}])
def test_no_value_can_break_a_log_line(value: object) -> None:
    stream = io.StringIO()
    configure_logging("info", stream)

    get_logger("moderator").info("odd", value=value)

    assert _lines(stream)[0]["event"] == "odd"


def test_a_busy_machine_does_not_make_kafkas_client_warn() -> None:
    stream = io.StringIO()
    configure_logging("debug", stream)

    logging.getLogger("kafka.net.selector").warning("Task ran for 0.120s")
    logging.getLogger("kafka.conn").warning("connection refused")

    assert [line["logger"] for line in _lines(stream)] == ["kafka.conn"]


def test_configuring_twice_writes_each_line_once() -> None:
    stream = io.StringIO()
    configure_logging("info", io.StringIO())
    configure_logging("info", stream)

    get_logger("moderator").info("once")

    assert len(_lines(stream)) == 1
