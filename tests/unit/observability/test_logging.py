"""What a log line looks like, and what never gets into one."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from kafka.errors import Cancelled, NodeNotReadyError

from moderator.observability.logging import OURS, WORDY_LOGGERS, configure_logging, get_logger
from moderator.observability.throttle import Throttle
from moderator.testing import ManualClock


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    names = [root, *map(logging.getLogger, (OURS, *WORDY_LOGGERS))]
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
    configure_logging("debug", stream, libraries="info")

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


def test_a_kafka_client_that_is_closed_while_it_asks_for_metadata_writes_no_error() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)

    for reason in (Cancelled(), NodeNotReadyError("metadata")):
        logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", reason)

    assert [line["event"] for line in _lines(stream)] == ["Metadata refresh: failed NodeNotReadyError: metadata"]


def test_configuring_twice_writes_each_line_once() -> None:
    stream = io.StringIO()
    configure_logging("info", io.StringIO())
    configure_logging("info", stream)

    get_logger("moderator").info("once")

    assert len(_lines(stream)) == 1


def test_libraries_speak_from_warning_on_unless_they_are_asked_for_more() -> None:
    quiet, loud = io.StringIO(), io.StringIO()
    for stream, libraries in ((quiet, "warning"), (loud, "info")):
        configure_logging("info", stream, libraries=libraries)
        logging.getLogger("kafka.cluster").info("metadata updated")
        logging.getLogger("somebody").info("working")
        logging.getLogger("somebody").warning("not working")
        get_logger("moderator").info("ours")

    assert [line["event"] for line in _lines(quiet)] == ["not working", "ours"]
    assert [line["event"] for line in _lines(loud)] == ["metadata updated", "working", "not working", "ours"]


def test_libraries_are_never_louder_than_we_are() -> None:
    stream = io.StringIO()

    configure_logging("error", stream)
    logging.getLogger("kafka.conn").warning("connection refused")

    assert _lines(stream) == []


class Lines:
    """A log whose clock moves only when told to."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.clock = ManualClock()
        configure_logging("info", self.stream, monotonic_s=self.clock.monotonic_s)

    def written(self) -> list[tuple[str, int | None]]:
        return [(line["event"], line.get("repeated")) for line in _lines(self.stream)]


def test_a_library_s_line_is_written_once_a_minute_and_the_next_says_how_often_it_was_repeated() -> None:
    lines = Lines()

    for number in range(150):
        logging.getLogger("kafka.conn").warning("%s: refused", f"node {number}")
        lines.clock.advance(1)

    assert lines.written() == [("node 0: refused", None), ("node 60: refused", 59), ("node 120: refused", 59)]


def test_other_templates_and_other_loggers_are_lines_of_their_own() -> None:
    lines = Lines()

    logging.getLogger("kafka.conn").warning("refused")
    logging.getLogger("kafka.conn").warning("%s", "reset")
    logging.getLogger("kafka.conn").warning("%s", "closed")
    logging.getLogger("kafka.cluster").warning("refused")

    assert [event for event, _ in lines.written()] == ["refused", "reset", "closed", "refused"]


def test_our_warning_is_written_once_a_minute_for_each_subject() -> None:
    lines, log = Lines(), get_logger("moderator.stream")

    for _ in range(3):
        log.warning("kafka_unreachable", bootstrap_servers="a:1", cause=f"{lines.clock.now_s()}", give_up_in_s=9.5)
        log.warning("kafka_unreachable", bootstrap_servers="b:1")
        log.warning("ended_while_scoring", partition=1, events=7)
        log.warning("ended_while_scoring", partition=2, events=7)
        lines.clock.advance(20)
    lines.clock.advance(1)
    log.warning("kafka_unreachable", bootstrap_servers="a:1", cause="still", give_up_in_s=1.5)

    assert lines.written() == [
        ("kafka_unreachable", None),
        ("kafka_unreachable", None),
        ("ended_while_scoring", None),
        ("ended_while_scoring", None),
        ("kafka_unreachable", 2),
    ]


@pytest.mark.parametrize("event", ["events_lost", "log_truncated", "topic_recreated"])
def test_each_loss_is_written_for_no_other_line_gives_its_offsets(event: str) -> None:
    lines, log = Lines(), get_logger("moderator.stream")

    log.warning(event, partition=1, position=5, events=7)
    log.warning(event, partition=1, position=40, events=3)

    assert lines.written() == [(event, None), (event, None)]


def test_our_other_levels_are_always_written() -> None:
    lines, log = Lines(), get_logger("moderator.pipeline")

    for _ in range(2):
        log.info("window_published", events=1)
        log.error("event_crashed", event_id="evt-1")

    assert len(lines.written()) == 4


def test_lines_without_a_template_do_not_fill_the_memory() -> None:
    clock = ManualClock()
    throttle = Throttle(clock.monotonic_s)

    for number in range(5_000):
        throttle.filter(logging.LogRecord("kafka", logging.WARNING, "", 0, f"no template {number}", (), None))
        clock.advance(1)

    assert len(throttle._passed_at_s) <= 1_000
