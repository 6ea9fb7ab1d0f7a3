"""The state of the stream, as its thread last reported it, and what probes are answered. Pure.

`/healthz` asks whether a restart would help, `/readyz` whether this replica moderates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

Phase = Literal["starting", "model_loading", "running", "serving"]
Code = Literal[
    "starting",
    "model_loading",
    "group_not_joined",
    "kafka_away",
    "not_reading",
    "not_publishing",
    "topic_gone",
    "policies_stale",
    "draining",
    "stuck",
]
"""Why a replica is not ready."""
CODES: Final[tuple[Code, ...]] = get_args(Code)

STUCK_S = 60.0
KAFKA_AWAY_S = 10.0
REBALANCE_S = 30.0
"""A rebalance that takes longer is reported."""
_WORKING: Final = ("running", "serving")
_STARTING: Final[Mapping[Phase, str]] = {
    "starting": "the start is not complete: settings, policies, Kafka and topics are checked",
    "model_loading": "the model is loading",
}


class Problem(NamedTuple):
    """Why a probe fails: a code for programs, a reason for people."""

    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What the stream's thread knows about itself; replaced as a whole, never changed. Times are monotonic seconds.

    Attributes:
        turned_at_s: when the loop last completed a round.
        broker_seen_at_s: when a broker last answered.
        phase: how far the start is; `running`: the loop runs; `serving`: requests are answered,
            and there is no stream.
        joined_at_s: when this replica was last a member of its stable group, with or without partitions; None: never.
        scoring_since_s: since when the present window has been in the scorer; None: there is none.
        is_draining: no new events are taken.
        troubles: what source and sink report, such as `topic_gone`, each with its reason.
    """

    turned_at_s: float
    broker_seen_at_s: float
    phase: Phase = "starting"
    joined_at_s: float | None = None
    scoring_since_s: float | None = None
    is_draining: bool = False
    troubles: Mapping[Code, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyHealth:
    """How fresh the policies are.

    Attributes:
        agreed_at_s: when the policy folder last held the policies that decide; monotonic seconds.
        max_stale_s: for how long they may differ before this replica is not ready; None: forever.
    """

    agreed_at_s: float
    max_stale_s: float | None = None


class HealthBoard:
    """Holds what probes are answered from: the stream's thread and the policies' thread write, HTTP reads."""

    def __init__(self, snapshot: HealthSnapshot) -> None:
        self.snapshot = snapshot
        self.policies: PolicyHealth | None = None


def liveness_problems(board: HealthBoard, now_s: float) -> list[Problem]:
    """Give the reasons to restart this process; none while it starts, for a start has its own time limits."""
    snapshot = board.snapshot
    if snapshot.phase not in _WORKING:
        return []
    since = (
        ("the loop has not turned", snapshot.turned_at_s),
        ("a window has been in the scorer", snapshot.scoring_since_s),
    )
    return [
        Problem("stuck", f"{what} for {now_s - since_s:.0f} s")
        for what, since_s in since
        if since_s is not None and now_s - since_s > STUCK_S
    ]


def readiness_problems(board: HealthBoard, now_s: float) -> list[Problem]:
    """Give the reasons why this replica moderates nothing now, or not as it should; owning no partition is none."""
    return [
        *_of_the_stream(board.snapshot, now_s),
        *_staleness(board.policies, now_s),
        *liveness_problems(board, now_s),
    ]


def _of_the_stream(snapshot: HealthSnapshot, now_s: float) -> Iterator[Problem]:
    match snapshot.phase:
        case "starting" | "model_loading" as phase:
            yield Problem(phase, _STARTING[phase])
            return
        case "running":
            yield from _membership(snapshot.joined_at_s, now_s)
            away_s = now_s - snapshot.broker_seen_at_s
            if away_s > KAFKA_AWAY_S:
                yield Problem("kafka_away", f"no answer from Kafka for {away_s:.0f} s")
        case "serving":
            pass
    for code, reason in snapshot.troubles.items():
        yield Problem(code, reason)
    if snapshot.is_draining:
        yield Problem("draining", "draining")


def _membership(joined_at_s: float | None, now_s: float) -> Iterator[Problem]:
    if joined_at_s is None:
        yield Problem("group_not_joined", "the consumer group was not joined yet")
    elif now_s - joined_at_s > REBALANCE_S:
        yield Problem("group_not_joined", f"the consumer group has been rebalancing for {now_s - joined_at_s:.0f} s")


def _staleness(policies: PolicyHealth | None, now_s: float) -> Iterator[Problem]:
    if policies is None or policies.max_stale_s is None:
        return
    stale_s = now_s - policies.agreed_at_s
    if stale_s > policies.max_stale_s:
        yield Problem("policies_stale", f"the policy folder differs from the policies that decide for {stale_s:.0f} s")
