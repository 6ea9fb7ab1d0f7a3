"""The demo from beginning to end; however it ends, everything is stopped."""

import io
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console

from moderator.cli import exit_codes
from moderator.cli.demo.screen import Screen
from moderator.cli.demo.show import DemoFailedError, Show
from moderator.cli.demo.stage import Stage, set_up
from moderator.local.replica import LocalReplica
from moderator.local.samples import sample_events
from moderator.local.traffic import EventSender, OutcomeReader

_PRACTICE_NOTE = "Scores come from the built-in practice model: good for trying things out, not for real decisions."
_READY_TIMEOUT_S = 120.0
_KEEP_WATCH_S = 1.0
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def perform(*, is_kept: bool) -> int:
    """Start everything, show what becomes of the sample events, stop everything; gives the exit code.

    Args:
        is_kept: leave everything running after the summary until a signal comes.

    Raises:
        BrokerUnavailableError: Java or Maven are missing and cannot be installed, or Kafka does not start.
    """
    logging.getLogger("kafka").setLevel(logging.ERROR)  # its warnings would run through the table
    screen = Screen(_console())
    with ExitStack() as stack, _ended_by_signals(screen):
        stage = set_up(screen, stack)
        try:
            _await_ready(screen, stage)
            show = _open(screen, stage, stack)
            show.play(sample_events())
            is_exact = _summarise(screen, show)
            if is_kept:
                _keep(screen, stage, show)
        except DemoFailedError as error:
            return _explain(error, stage.replica)
    return exit_codes.OK if is_exact else exit_codes.CHECK_FAILED


def _console() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the samples' scripts are more than some terminals can write
    return Console()


@contextmanager
def _ended_by_signals(screen: Screen) -> Iterator[None]:
    """Turn the first signal into an orderly end; while things are being stopped, more of them change nothing."""

    def end(number: int, _frame: object) -> None:
        _ignore_signals()
        sys.exit(128 + number)

    for number in _ENDING_SIGNALS:
        signal.signal(number, end)
    try:
        yield
    except SystemExit:
        screen.say("stopping")
        raise
    finally:
        _ignore_signals()


def _ignore_signals() -> None:
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _explain(error: DemoFailedError, replica: LocalReplica) -> int:
    sys.stderr.write(f"error: {error}; its log ends with:\n{replica.last_words()}\n")
    is_misconfigured = replica.exit_code == exit_codes.WRONG_CONFIGURATION
    return exit_codes.WRONG_CONFIGURATION if is_misconfigured else exit_codes.CHECK_FAILED


def _await_ready(screen: Screen, stage: Stage) -> None:
    with screen.step("starting `moderator run`"):
        is_ready = stage.replica.await_ready(_READY_TIMEOUT_S)
    if not is_ready and stage.replica.exit_code is None:
        raise DemoFailedError(f"`moderator run` was not ready after {_READY_TIMEOUT_S:.0f} s")
    if not is_ready:
        raise DemoFailedError(f"`moderator run` ended with exit code {stage.replica.exit_code}")
    screen.done(f"`moderator run` with the built-in model and the policies in {stage.policies}")


def _open(screen: Screen, stage: Stage, stack: ExitStack) -> Show:
    sender = stack.enter_context(EventSender(stage.kafka))
    reader = stack.enter_context(OutcomeReader(stage.kafka))
    screen.note(_PRACTICE_NOTE)
    return Show(screen, stage.replica, sender, reader)


def _summarise(screen: Screen, show: Show) -> bool:
    """Print the sum, and tell whether it is right."""
    is_exact = show.tally.is_exact
    screen.say()
    screen.say(show.tally.sum_line(), "bold green" if is_exact else "bold red")
    screen.table(show.tally.details())
    screen.note(_PRACTICE_NOTE)
    return is_exact


def _keep(screen: Screen, stage: Stage, show: Show) -> None:
    """Show what else is decided until a signal comes; that is the end asked for."""
    kafka, http = stage.kafka, f"http://127.0.0.1:{stage.replica.http_port}"
    producer = f"{sys.executable} -m kafka.producer -b {kafka.bootstrap_servers} -t {kafka.events_topic}"
    screen.say()
    screen.table(
        {
            "Kafka": kafka.bootstrap_servers,
            "topics": f"{kafka.events_topic} -> {kafka.flag_topic}, {kafka.allow_topic}, {kafka.dead_letter_topic}",
            "Redis": stage.redis_url or "none",
            "health": f"{http}/readyz",
            "metrics": f"{http}/metrics",
            "log": str(stage.replica.log),
        }
    )
    screen.say("To send an event of your own (its decision shows here):")
    screen.command(f"""echo '{{"text": "hello"}}' | {producer}""")
    screen.say("Ctrl-C stops everything.")
    try:
        while True:
            show.watch(_KEEP_WATCH_S)
    except SystemExit:
        screen.say("stopping")
