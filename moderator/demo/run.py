"""Runs the demo; however it ends, everything is stopped."""

import io
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console

from moderator.demo.examples import shows_spam
from moderator.demo.samples import sample_events
from moderator.demo.screen import Screen
from moderator.demo.session import DemoFailedError, Session
from moderator.demo.setup import Setup, set_up
from moderator.demo.traffic import EventSender, OutcomeReader

_PRACTICE_NOTE = "Scores come from the built-in practice model: good for trying things out, not for real decisions."
_PROBE_NOTE = (
    "`spam` is none of its objectives: a probe added it, learned from 3,345 short messages, and reads it in the same "
    "pass, so it costs no further inference. `moderator model probe` adds one of your own."
)
_READY_TIMEOUT_S = 120.0
_KEEP_WATCH_S = 1.0
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(*, is_kept: bool) -> bool:
    """Start everything, show the results for the sample events, stop everything.

    Args:
        is_kept: leave everything running after the summary until a signal comes.

    Returns:
        Whether each event gave exactly one decision or dead letter.

    Raises:
        BrokerUnavailableError: Java or Maven is missing, or Kafka does not start.
        DemoFailedError: the replica ended or nothing came back.
    """
    logging.getLogger("kafka").setLevel(logging.ERROR)  # its warnings would appear between the table's rows
    screen = Screen(_console())
    with ExitStack() as stack, _ended_by_signals(screen):
        setup = set_up(screen, stack)
        _await_ready(screen, setup)
        _await_console(screen, setup)
        session = _open(screen, setup, stack)
        session.run(sample_events())
        is_exact = _summarise(screen, setup, session)
        if is_kept:
            _keep(screen, setup, session)
    return is_exact


def _console() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # some terminals cannot show every script of the samples
    return Console()


@contextmanager
def _ended_by_signals(screen: Screen) -> Iterator[None]:
    """End in order at the first signal; further signals have no effect while things are being stopped."""

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


def _await_ready(screen: Screen, setup: Setup) -> None:
    with screen.step("starting `moderator run`"):
        is_ready = setup.replica.await_ready(_READY_TIMEOUT_S)
    if not is_ready and setup.replica.exit_code is None:
        raise DemoFailedError(f"`moderator run` was not ready after {_READY_TIMEOUT_S:.0f} s", setup.replica)
    if not is_ready:
        raise DemoFailedError(f"`moderator run` ended with exit code {setup.replica.exit_code}", setup.replica)
    screen.done(f"`moderator run` with the built-in model, a probe for spam, and the policies in {setup.policies}")


def _await_console(screen: Screen, setup: Setup) -> None:
    """Say where the console is; the demo shows its decisions without one, too."""
    with screen.step("starting `moderator console`"):
        is_ready = setup.console.await_ready(_READY_TIMEOUT_S)
    if is_ready:
        screen.say(f"console  {setup.console.url}")
    else:
        screen.warn(f"no console; its log ends with:\n{setup.console.last_lines()}")


def _open(screen: Screen, setup: Setup, stack: ExitStack) -> Session:
    sender = stack.enter_context(EventSender(setup.kafka))
    reader = stack.enter_context(OutcomeReader(setup.kafka))
    _note(screen, setup)
    return Session(screen, setup.replica, sender, reader)


def _summarise(screen: Screen, setup: Setup, session: Session) -> bool:
    """Print the sum, and give whether it is right."""
    is_exact = session.tally.is_exact
    screen.say()
    screen.say(session.tally.sum_line(), "bold green" if is_exact else "bold red")
    screen.table(session.tally.details())
    _note(screen, setup)
    return is_exact


def _note(screen: Screen, setup: Setup) -> None:
    screen.note(_PRACTICE_NOTE)
    if shows_spam(setup.policies):
        screen.note(_PROBE_NOTE)


def _keep(screen: Screen, setup: Setup, session: Session) -> None:
    """Show further decisions until a signal comes; this is a successful end."""
    kafka, http = setup.kafka, f"http://127.0.0.1:{setup.replica.http_port}"
    producer = f"{sys.executable} -m kafka.producer -b {kafka.bootstrap_servers} -t {kafka.events_topic}"
    screen.say()
    screen.table(
        {
            "Kafka": kafka.bootstrap_servers,
            "topics": f"{kafka.events_topic} -> {kafka.flag_topic}, {kafka.allow_topic}, {kafka.dead_letter_topic}",
            "Redis": setup.redis_url or "none",
            "console": setup.console.url,
            "policies": f"{setup.policies} (an edit counts within seconds)",
            "health": f"{http}/readyz",
            "metrics": f"{http}/metrics",
            "log": str(setup.replica.log),
        }
    )
    screen.say("To send an event of your own (its decision shows here):")
    screen.command(f"""echo '{{"text": "hello"}}' | {producer}""")
    screen.say("Ctrl-C stops everything.")
    try:
        while True:
            session.watch(_KEEP_WATCH_S)
    except SystemExit:
        screen.say("stopping")
