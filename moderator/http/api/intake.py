"""What decides: the queue that requests wait in, and the policies; and which requests are let in."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from starlette.requests import Request

from moderator.events import ChatEvent, DeadLetter, Decision, Record, iso_time
from moderator.http.api.body import deadline_exceeded
from moderator.http.api.categories import Categories
from moderator.http.api.exchange import ClientGoneError, Exchange, exchange_of
from moderator.http.refusals import Refusal
from moderator.observability.http_metrics import HttpMetrics
from moderator.pipeline.decision import Decider, Timestamps
from moderator.pipeline.interactive_queue import Answer, Ask, InteractiveQueue, QueueFullError
from moderator.pipeline.moderation import crashed
from moderator.pipeline.window import ScoredEvent
from moderator.policy.live.status import PolicyStatus

TOPIC: Final = "http"
_LEAST_WAIT_S, _LONGEST_WAIT_S = 1, 30
_NOT_READY_WAIT_S: Final = 5


class Placed(NamedTuple):
    """An event and its place in the request."""

    place: int
    event: ChatEvent


class Judged(NamedTuple):
    """What became of a request's events, by their places, and what decided on all of them."""

    decisions: dict[int, Decision | DeadLetter]
    decider: Decider


@dataclass(frozen=True, slots=True)
class Warm:
    """What there is once the model is warm."""

    queue: InteractiveQueue
    current_decider: Callable[[], Decider]
    policy_status: Callable[[], PolicyStatus]


class Intake:
    """Lets requests in once the model is warm and until the process drains, and intake their events.

    Args:
        stop: once it is set, no other request is let in.
    """

    def __init__(self, stop: threading.Event, metrics: HttpMetrics) -> None:
        self._stop = stop
        self._metrics = metrics
        self._warm: Warm | None = None
        self._accepted = 0
        self._categories: tuple[Decider, Categories] | None = None
        self._changed = threading.Condition()

    # the main thread

    def open(self, warm: Warm) -> None:
        """Let requests in."""
        self._warm = warm

    def await_idle(self, timeout_s: float) -> bool:
        """Wait until every request that was let in is answered; false when that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._accepted == 0, timeout_s)

    # HTTP's thread

    def let_in(self, exchange: Exchange) -> None:
        """Let a request in.

        Raises:
            Refusal: `not_ready`, `draining`.
        """
        if self._warm is None:
            raise _unavailable("not_ready", "the model is loading", _NOT_READY_WAIT_S)
        with self._changed:
            if self._stop.is_set():
                raise _unavailable("draining", "this replica is stopping", _LEAST_WAIT_S, close=True)
            self._accepted += 1
            exchange.is_accepted = True

    def leave(self) -> None:
        """A request that was let in is answered."""
        with self._changed:
            self._accepted -= 1
            self._changed.notify_all()

    @property
    def decider(self) -> Decider:
        """The policies that decide now."""
        return self._opened.current_decider()

    @property
    def policy_status(self) -> PolicyStatus:
        """What decides and what the policy folder holds."""
        return self._opened.policy_status()

    def categories(self, decider: Decider) -> Categories:
        """Give the categories of what decides."""
        if self._categories is None or self._categories[0] is not decider:
            self._categories = decider, Categories(decider.policies, decider.model)
        return self._categories[1]

    async def judge(self, request: Request, placed: Sequence[Placed], deadline_s: float) -> Judged:
        """Score events and decide on all of them by one policy snapshot.

        Args:
            request: tells when its client hangs up.
            placed: n >= 0 events.
            deadline_s: monotonic.

        Raises:
            Refusal: `overloaded`, `deadline_exceeded`.
            ClientGoneError: nobody waits for the answer any more.
        """
        arrived_s = exchange_of(request).read_s
        answer = await self._score(request, [event for _, event in placed], arrived_s, deadline_s) if placed else None
        decider = self.decider
        results = answer.results if answer else []
        at = _timestamps(answer)
        decisions = {
            each.place: _decide(decider, each, scored, arrived_s, at)
            for each, scored in zip(placed, results, strict=True)
        }
        self._count(decisions.values())
        return Judged(decisions, decider)

    @property
    def _opened(self) -> Warm:
        assert self._warm is not None, "requests are let in when the model is warm"
        return self._warm

    async def _score(
        self, request: Request, events: Sequence[ChatEvent], arrived_s: float, deadline_s: float
    ) -> Answer:
        queue, loop = self._opened.queue, asyncio.get_running_loop()
        scored: asyncio.Future[Answer] = loop.create_future()

        def answer(given: Answer) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(_resolve, scored, given)

        ask = Ask(events, arrived_s, deadline_s, answer)
        try:
            queue.submit(ask)
        except QueueFullError:
            raise _overloaded(queue.empty_in_s) from None
        hung_up = asyncio.ensure_future(_hung_up(request))
        try:
            timeout_s = max(0.0, deadline_s - time.monotonic())
            await asyncio.wait((scored, hung_up), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hung_up.cancel()
            if not scored.done():
                queue.drop(ask)
        if scored.done():
            return scored.result()
        if hung_up.done() and not hung_up.cancelled():
            raise ClientGoneError
        raise deadline_exceeded("the texts were not scored")

    def _count(self, decisions: Iterable[Decision | DeadLetter]) -> None:
        for decision in decisions:
            if not isinstance(decision, DeadLetter):
                self._metrics.decisions.labels(decision["verdict"], decision["status"]).inc()
                self._metrics.skipped_parts.inc(decision["skipped_parts"])


def _resolve(scored: asyncio.Future[Answer], given: Answer) -> None:
    if not scored.done():
        scored.set_result(given)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _timestamps(answer: Answer | None) -> Timestamps:
    now_s = time.monotonic()
    started_s, ended_s = (answer.started_at_s, answer.ended_at_s) if answer else (now_s, now_s)
    return Timestamps(started_s, ended_s, now_s, iso_time(time.time()))


def _decide(
    decider: Decider, placed: Placed, scored: ScoredEvent | DeadLetter, arrived_s: float, at: Timestamps
) -> Decision | DeadLetter:
    if isinstance(scored, DeadLetter):
        return scored
    record = Record(TOPIC, 0, placed.place, None, None, None)
    try:
        return decider.decide(record, placed.event, scored, arrived_s, at)
    except Exception as error:  # noqa: BLE001 - one event must not fail the others of its request
        return crashed("deciding on it", placed.event.id, error)


def _unavailable(code: str, why: str, wait_s: int, *, close: bool = False) -> Refusal:
    headers = {"Retry-After": str(wait_s)} | ({"Connection": "close"} if close else {})
    return Refusal(503, code, f"{why}; ask again, or another replica", headers=headers)


def _overloaded(empty_in_s: float) -> Refusal:
    wait_s = min(_LONGEST_WAIT_S, max(_LEAST_WAIT_S, math.ceil(empty_in_s)))
    return Refusal(
        429, "overloaded", "too many texts wait already; ask again later", headers={"Retry-After": str(wait_s)}
    )
